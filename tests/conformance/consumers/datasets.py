"""Hugging Face datasets: the loader through which most trainers read a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._records import whole
from turnparse._target import targets


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


def _messages(path: Path) -> Sequence[Any]:
    # The metadata of red-team attempts stands beside the messages, and is another check's.
    return [{"messages": row.get("messages")} for row in loads(path)]


def _renamed(record: Record) -> Record:
    return {"conversation": record["messages"]}


def _same(loaded: Any, own: Any) -> bool:
    """Tell whether a value was loaded as it stands in the file; a key that it lacks may be there as None."""
    if isinstance(own, dict) and isinstance(loaded, dict):
        return own.keys() <= loaded.keys() and all(_same(value, own.get(key)) for key, value in loaded.items())
    if isinstance(own, list) and isinstance(loaded, list):
        return len(own) == len(loaded) and all(map(_same, loaded, own))
    return type(loaded) is type(own) and bool(loaded == own)


def _as_it_stands(path: Path) -> Sequence[Any]:
    lines = path.read_bytes().splitlines()
    return [_same(row, json.loads(line)) for row, line in zip(loads(path), lines, strict=True)]


def _no_unicode(record: Record) -> Record:
    return dict.fromkeys(record, "\ud800")


def _loaded(records: int) -> Callable[[Meant], Sequence[Any]]:
    return lambda _: [True] * records


CONSUMER = Consumer(
    name="datasets",
    version="5.2.0",
    requirements=("datasets==5.2.0",),
    checks=(
        Check("messages", "datasets.load_dataset('parquet')", _messages, _expected, _renamed, ending="parquet"),
        Check("messages", "datasets.load_dataset", _messages, _expected, _renamed),
        # Of every output: what is loaded is what stands there, value by value and type by type.
        *(
            Check(
                target.name, "datasets.load_dataset('json')", _as_it_stands, _loaded(len(target.records)), _no_unicode
            )
            for target in targets().values()
        ),
    ),
)
