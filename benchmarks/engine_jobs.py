"""What each engine is measured at: Parquet to Parquet by `turnparse.Converter`, as the README shows it, in a process of its own.

A job imports lazily, takes a folder of shards and writes a folder. Rows that are set aside stay in their places, with the
reason in a column. Batches have the size at which the engine is fastest.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks.loopback import RAY, SPARK

ROWS: Final = 10_000
"""Rows of a batch: what Spark hands over if nobody says anything."""

CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

ENVIRONMENT: Final = {
    **RAY,
    **SPARK,
    "PYSPARK_PYTHON": sys.executable,
    # Else Ray writes one into the home folder.
    "RAY_AUTH_TOKEN": secrets.token_hex(),
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
"""The environment of every job."""


def ray_data(source: str, output: str) -> None:
    import ray

    from turnparse import Converter

    # Not where others have theirs: the path of a socket is short.
    folder = tempfile.mkdtemp(prefix="ray-")
    ray.init("local", num_cpus=CORES, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
    try:
        rows = ray.data.read_parquet(source)
        rows.map_batches(Converter(), batch_format="pyarrow", batch_size=ROWS).write_parquet(output)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def spark(source: str, output: str) -> None:
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    from turnparse import Converter

    session = SparkSession.builder.master(f"local[{CORES}]").getOrCreate()
    pairs = session.read.parquet(source)
    converter = Converter()
    schema = from_arrow_schema(converter.schema_for(to_arrow_schema(pairs.schema)))
    pairs.mapInArrow(converter.batches, schema).write.parquet(output)
    session.stop()


def datasets_map(source: str, output: str, processes: int) -> None:
    from datasets import load_dataset

    from turnparse import Converter

    pairs = load_dataset("parquet", data_files=f"{source}/*.parquet", split="train").with_format("arrow")
    # With 1 it starts a process.
    some = None if processes == 1 else processes
    rows = pairs.map(Converter(), batched=True, batch_size=ROWS, num_proc=some)
    Path(output).mkdir()
    rows.with_format(None).to_parquet(f"{output}/all.parquet")


def datasets_stream(source: str, output: str) -> None:
    from datasets import Features, load_dataset

    from turnparse import Converter

    pairs = load_dataset("parquet", data_files=f"{source}/*.parquet", split="train", streaming=True)
    converter = Converter()
    features = Features.from_arrow_schema(converter.schema_for(pairs.features.arrow_schema))
    rows = pairs.with_format("arrow").map(converter, batched=True, batch_size=ROWS, features=features)
    Path(output).mkdir()
    rows.to_parquet(f"{output}/all.parquet", batch_size=ROWS)


@attrs.frozen
class Job:
    """One engine.

    Attributes:
        name: what the table calls it.
        run: what does it, of the paths of two folders.
        needs: what pip must have installed.
    """

    name: str
    run: Callable[[str, str], Any]
    needs: str


JOBS: Final = (
    Job("Ray Data, map_batches", ray_data, "ray"),
    Job("Spark, mapInArrow", spark, "pyspark"),
    Job("datasets, map, 1 process", partial(datasets_map, processes=1), "datasets"),
    Job("datasets, map, 2 processes", partial(datasets_map, processes=2), "datasets"),
    Job("datasets, streaming", datasets_stream, "datasets"),
)

if __name__ == "__main__":
    PLACE, *FOLDERS = sys.argv[1:]
    JOBS[int(PLACE)].run(*FOLDERS)
