"""The environment in which engines are out of reach for other machines."""

from __future__ import annotations

from typing import Final

from turnparse._ray import HERE

RAY: Final = HERE
"""That in which Ray keeps to the loopback interface; to be set before it is imported."""

SPARK_SETTINGS: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}
"""The settings with which Spark keeps to it."""

SPARK: Final = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": " ".join(f"--conf {key}={value}" for key, value in SPARK_SETTINGS.items())
    + " pyspark-shell",
}
"""That in which Spark does so whatever starts it."""
