"""One answer a record, also of consumers that read whole files and stop at, or silently drop, some of their records."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def each(path: Path, read: Callable[[Path], Sequence[Any]]) -> list[Any]:
    """Return what *read* makes of each record of a file: its exception where it refuses one, None where it drops one.

    The file is read whole. Where that fails, or gives fewer answers than there are records, its halves are read each
    for itself, and so on down to the records that are to blame.

    Args:
        path: JSON lines, or Parquet.
        read: reads a file of the same format.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _halved(path, read, Path(folder))


def by_record(read: Callable[[Path], Sequence[Any]]) -> Callable[[Path], list[Any]]:
    """Return what gives the answers of `each`, for files of which *read* gives them."""
    return lambda path: each(path, read)


def _halved(path: Path, read: Callable[[Path], Sequence[Any]], folder: Path) -> list[Any]:
    records, write = _records(path)
    try:
        found = list(read(path))
    except ImportError:  # that is no refusal: the consumer is not there
        raise
    except Exception as error:  # noqa: BLE001  # whatever a consumer raises is its refusal
        found = [error] if records == 1 else []
    if len(found) == records:
        return found
    if records <= 1:
        return [None] * records
    # Names are never used twice: `datasets` caches what it has read by the name of the file.
    halves = [Path(tempfile.mkdtemp(dir=folder)) / path.name for _ in range(2)]
    write(0, records // 2, halves[0])
    write(records // 2, records, halves[1])
    return [answer for half in halves for answer in _halved(half, read, folder)]


def _records(path: Path) -> tuple[int, Callable[[int, int, Path], object]]:
    """Return how many records a file has, and what writes a slice of them to another."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)

        def write_rows(start: int, stop: int, into: Path) -> None:
            pyarrow.parquet.write_table(table.slice(start, stop - start), into)

        return table.num_rows, write_rows

    lines = path.read_bytes().splitlines(keepends=True)
    return len(lines), lambda start, stop, into: into.write_bytes(b"".join(lines[start:stop]))
