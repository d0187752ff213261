"""What fuzzing begins with, made when it does: the shipped samples, the bad inputs of the tests, the grammar's own strings."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from written import zstd

BAD_INPUTS = Path(__file__).parents[1] / "bad_inputs"
GRAMMAR = Path(__file__).parents[2] / "grammar" / "hh.lark"
SAMPLES = files("turnparse") / "samples"
ZIPPED = (b"\x1f\x8b", b"(\xb5/\xfd", b"P*M")
TABLES = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
KEYS = ("chosen", "rejected", "transcript", "text")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
ROWS_AT_ONCE = 3


def strings() -> list[str]:
    """Return the strings of the grammar: what its terminals are made of, and the examples in its comments."""
    found = STRING.findall(GRAMMAR.read_text(encoding="utf-8"))
    return sorted({json.loads(text) for text in found})


@cache
def rows() -> list[dict[str, Any]]:
    """Return the rows of the samples."""
    lines = (SAMPLES.joinpath(name).read_text(encoding="utf-8") for name in ("pairs.jsonl", "red_team.jsonl"))
    found = []
    for line in "\n".join(lines).split("\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in found if isinstance(row, dict)]


def pairs() -> list[tuple[str, str]]:
    """Return the pairs of the samples, and pairs of the grammar's strings."""
    sides = [(row.get("chosen"), row.get("rejected")) for row in rows()]
    own = strings()
    found = [(chosen, rejected) for chosen, rejected in sides if isinstance(chosen, str) and isinstance(rejected, str)]
    return [*found, *((f"{text}{text}", f"{text} {text}") for text in own), *pairwise(own)]


def texts() -> list[str]:
    """Return the texts of the samples, and the grammar's strings."""
    found = [row[name] for row in rows() for name in ("chosen", "transcript", "text") if isinstance(row.get(name), str)]
    return [*found, *strings()]


@cache
def bad_inputs() -> list[bytes]:
    """Return the bad inputs."""
    paths = sorted(path for path in BAD_INPUTS.iterdir() if not path.name.endswith(("expected.json", ".md")))
    return [path.read_bytes() for path in paths]


def plain_files() -> list[bytes]:
    """Return files of JSON lines, or of an array."""
    given = [json.dumps(row).encode() for row in rows()]
    chosen = [b"\n".join(given[at : at + ROWS_AT_ONCE]) + b"\n" for at in range(0, len(given), ROWS_AT_ONCE)]
    arrays = [b"[" + b",\n".join(given[at : at + 2]) + b"]" for at in range(0, len(given), 9)]
    return [*chosen, *arrays, *(data for data in bad_inputs() if not data.startswith(ZIPPED + TABLES))]


def zipped_files() -> list[bytes]:
    """Return zipped files."""
    small = plain_files()[::10]
    return [*map(gzip.compress, small), *map(zstd, small), *(data for data in bad_inputs() if data.startswith(ZIPPED))]


def tables() -> list[bytes]:
    """Return files of Parquet and of Arrow, neither zipped inside, so that a text in them is as it is in the file."""
    return [*_tables(), *(data for data in bad_inputs() if data.startswith(TABLES))]


def table_of(data: bytes) -> Any:
    """Return the table that a file of Parquet or Arrow holds; raises what pyarrow does if anything is wrong with it."""
    if data.startswith(b"PAR1"):
        table = pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)
    elif data.startswith(b"ARROW1"):
        table = pa.ipc.open_file(data).read_all()
    else:
        table = pa.ipc.open_stream(data).read_all()
    table.validate(full=True)
    return table


def arrow_file(rows: list[dict[str, Any]]) -> bytes:
    """Return a file of Arrow that holds *rows*."""
    return _ipc(pa.Table.from_pylist(rows), pa.ipc.new_file)


def _ipc(table: Any, opened: Any) -> bytes:
    file = io.BytesIO()
    with opened(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _tables() -> Iterator[bytes]:
    sides = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in pairs()]
    for at in range(0, len(sides), 2 * ROWS_AT_ONCE):
        table = pa.Table.from_pylist(sides[at : at + ROWS_AT_ONCE])
        file = io.BytesIO()
        pq.write_table(table, file, compression="none", use_dictionary=False, store_schema=False)
        yield file.getvalue()
        yield from (_ipc(table, opened) for opened in (pa.ipc.new_file, pa.ipc.new_stream))
