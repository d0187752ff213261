"""Reading an output as these consumers do, with the JSON builder of Hugging Face's datasets, one record at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def loaded(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the arguments of ``datasets.load_dataset`` that load a file, cached where it is forgotten."""
    # The builder comes with the package; without this the hub is asked about it all the same.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    with TemporaryDirectory() as cache:
        yield {"data_files": os.fspath(path), "split": "train", "cache_dir": cache}


def rows(path: Path) -> list[Any]:
    """Return the records of a file: a key that a record lacks, and another has, is None in it, as it is in training."""
    import datasets

    with loaded(path) as arguments:
        return list(datasets.load_dataset("json", **arguments))


def module(name: str) -> Any:
    """Return a module of a consumer: untyped, and found only where the consumer is installed."""
    return import_module(name)


def quiet(library: str) -> None:
    """Keep a library from logging the records that it leaves out: what is in them is nobody's to read."""
    logging.getLogger(library).setLevel(logging.CRITICAL)
