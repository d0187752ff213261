"""Spark: the rows of the local runner, also when a worker dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnparse
from engines.rows import Local

# What is used here, mapInArrow, works with the pandas that pip installs beside it.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame of Spark as Python has them."""
    return [row.asDict(recursive=True) for row in frame.collect()]


def schema_for(converter: turnparse.Converter, frame: Any) -> Any:
    """Return the schema of Spark of what *frame* becomes."""
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    return from_arrow_schema(converter.schema_for(to_arrow_schema(frame.schema)))


def test_the_rows_are_those_of_the_local_runner(spark: Any, local: Local) -> None:
    """Rows are written and set aside as by `turnparse.convert`, with the schema that was told beforehand."""
    frame = spark.createDataFrame(local.table).repartition(3)
    converter = turnparse.Converter(keep_columns=True)
    made = frame.mapInArrow(converter.batches, schema_for(converter, frame))

    local.check(rows_of(made), in_order=False)
    assert made.where("set_aside is null").count() == len(local.written)


def test_a_worker_is_killed(spark: Any, local: Local, tmp_path: Path) -> None:
    """When a worker is killed in the middle the result is complete, and the same."""
    frame = spark.createDataFrame(local.table).repartition(4)
    converter = turnparse.Converter(keep_columns=True)
    died = tmp_path / "died"

    def convert(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if 200 in batch.column("id").to_pylist() and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield converter(batch)

    local.check(rows_of(frame.mapInArrow(convert, schema_for(converter, frame))), in_order=False)
    assert died.exists()
