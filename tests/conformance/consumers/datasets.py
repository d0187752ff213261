"""Hugging Face datasets: the loader through which most trainers read a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._records import whole


def loads(path: Path) -> list[Record]:
    """Return the rows of a file of any target as trainers get them: a key that a row lacks and others have is None."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when it is imported; a local file needs no hub
    import datasets

    datasets.disable_progress_bars()
    builder = "parquet" if path.suffix == ".parquet" else "json"
    with TemporaryDirectory() as cache:  # else a file that was rewritten within a second may be read from the cache
        loaded = datasets.load_dataset(
            builder, data_files=str(path), split="train", cache_dir=cache, keep_in_memory=True
        )
        rows: list[Record] = loaded.to_list()
    return rows


def _expected(meant: Meant) -> Sequence[Any]:
    return [{"messages": whole(meant)}]


def _read(path: Path) -> Sequence[Any]:
    # The metadata of red-team attempts stands beside the messages, and is another check's.
    return [{"messages": row.get("messages")} for row in loads(path)]


def _mutate(record: Record) -> Record:
    return {"conversation": record["messages"]}


CONSUMER = Consumer(
    name="datasets",
    version="5.2.0",
    requirements=("datasets==5.2.0",),
    checks=tuple(
        Check("messages", "datasets.load_dataset", _read, _expected, _mutate, ending=ending)
        for ending in ("jsonl", "parquet")
    ),
)
