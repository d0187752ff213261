"""The rows of a file dealt out to shards, and the same shards under more names, which take no room on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Final

LINES, TABLES = "jsonl.gz", "parquet"
"""What shards are."""

ROWS_AT_ONCE: Final = 20_000
"""Rows of a row group."""


def split(source: Path, folder: Path, count: int) -> int:
    """Deal the lines of a file out to so many shards; return how many bytes these lines have."""
    from isal import igzip

    size = 0
    folder.mkdir()
    names = [folder / f"{number:03}.{LINES}" for number in range(count)]
    with ExitStack() as open_files:
        files = [open_files.enter_context(igzip.open(name, "wb", compresslevel=2)) for name in names]  # type: ignore[no-untyped-call]
        lines = open_files.enter_context(igzip.open(source, "rb"))  # type: ignore[no-untyped-call]
        for file, line in zip(cycle(files), lines, strict=False):
            file.write(line)
            size += len(line)
    return size


def as_tables(shards: Path, folder: Path) -> None:
    """Write the rows of each of *shards* as Parquet, as tools write it that nobody has told anything."""
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    folder.mkdir()
    for shard in sorted(shards.iterdir()):
        table = pj.read_json(shard, pj.ReadOptions(block_size=1 << 24))
        pq.write_table(table, folder / f"{shard.name.partition('.')[0]}.{TABLES}", row_group_size=ROWS_AT_ONCE)


def make(source: Path, folder: Path, count: int) -> int:
    """Make shards of both kinds, in folders of their names; return how many bytes of JSON they hold.

    It is done in a process of its own: the one that measures stays small.
    """
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.shards", str(source), str(folder), str(count)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def linked(shards: Path, folder: Path, times: int) -> None:
    """Give each of *shards* so many names in *folder*."""
    folder.mkdir()
    for time in range(times):
        for shard in sorted(shards.iterdir()):
            os.link(shard, folder / f"{time:03}-{shard.name}")


if __name__ == "__main__":
    SOURCE, FOLDER, COUNT = sys.argv[1:]
    print(split(Path(SOURCE), Path(FOLDER, LINES), int(COUNT)))
    as_tables(Path(FOLDER, LINES), Path(FOLDER, TABLES))
