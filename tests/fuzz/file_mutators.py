"""How files are changed: read, changed row by row, and written again; one that cannot be read is changed byte by byte."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from fuzz import seeds
from fuzz.mutators import ROOM, Draw, Mutator, of_row, of_sequence
from written import zstd

UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, OverflowError, RecursionError, zlib.error)
"""What the readers used here raise of a damaged file, and the writers of rows that are none of a table."""

TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


def with_choice(mutator: Mutator) -> Mutator:
    """Return what changes inputs whose first byte is a choice: mostly what comes after it."""

    def changed(draw: Draw, data: bytes) -> bytes:
        if draw.often(0.1):
            return bytes([draw.random.randrange(256)]) + data[1:]
        return (data[:1] or b"\0") + mutator(draw, data[1:])

    return changed


def of_lines(draw: Draw, data: bytes) -> bytes:
    """Return a file of JSON lines, or of an array, with a change."""
    if data.lstrip().startswith(b"["):
        return _of_array(draw, data)
    lines = data.split(b"\n")
    if draw.often(0.15):
        return b"\n".join(of_sequence(draw, lines))
    if draw.often(0.05):
        return b"[" + b",".join(line for line in lines if line.strip()) + b"]"
    at = draw.random.randrange(len(lines))
    try:
        row = json.loads(lines[at])
        lines[at] = _dumped(draw, of_row(draw, row, "surrogateescape"))
    except (*UNREADABLE, AttributeError):
        lines[at] = draw.change(lines[at], len(lines[at]) + ROOM)
    return b"\n".join(lines)


def _of_array(draw: Draw, data: bytes) -> bytes:
    try:
        rows = json.loads(data)
        return _dumped(draw, _of_rows(draw, rows, "surrogateescape"))
    except (*UNREADABLE, AttributeError):
        return draw.change(data, len(data) + ROOM)


def _of_rows(draw: Draw, rows: list[Any], errors: str) -> list[Any]:
    """Return rows with changes in about half of them, or in their order or number; raises AttributeError of rows that are none."""
    if draw.often(0.15):
        return of_sequence(draw, rows)
    return [of_row(draw, row, errors) if draw.often(0.5) else row for row in rows]


def _dumped(draw: Draw, value: Any) -> bytes:
    """Return JSON, with escapes or without, where a text has such bytes with those that are no UTF-8."""
    separators = (",", ":") if draw.often(0.5) else (", ", ": ")
    if draw.often(0.5):
        try:
            return json.dumps(value, ensure_ascii=False, separators=separators).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            pass
    return json.dumps(value, separators=separators).encode()


def of_zipped(draw: Draw, data: bytes) -> bytes:
    """Return a zipped file with a change in what it holds, or a file that is not zipped."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.compress(of_lines(draw, gzip.decompress(data)), mtime=0)
        if data.startswith(b"(\xb5/\xfd"):
            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                return zstd(of_lines(draw, stream.read(1 << 16)))
    except UNREADABLE:
        return draw.change(data, len(data) + ROOM)
    return of_lines(draw, data)


def of_stored(draw: Draw, data: bytes) -> bytes:
    """Return a file of Parquet or Arrow with a change in a row; it may become one of another of their formats."""
    try:
        table = seeds.table_of(data)
        rows = _of_rows(draw, table.to_pylist(), "replace")
        return _stored(draw, pa.Table.from_pylist(rows, _schema(draw, rows)), data)
    except (*UNREADABLE, AttributeError):
        return draw.change(data, len(data) + ROOM)


def _schema(draw: Draw, rows: list[dict[str, Any]]) -> Any:
    """Return the columns of *rows*, their texts of any type that Arrow has for them."""
    found = pa.Table.from_pylist(rows).schema
    fields = [field.with_type(draw.random.choice(TEXTS)) if field.type == pa.string() else field for field in found]
    return found if draw.often(0.7) else pa.schema(fields)


def _stored(draw: Draw, table: Any, data: bytes) -> bytes:
    """Return *table* as a file, mostly of the kind that *data* is, as one batch or as more."""
    same = next((magic for magic in seeds.TABLES if data.startswith(magic)), seeds.TABLES[-1])
    magic = same if draw.often(0.7) else draw.random.choice(seeds.TABLES)
    rows = draw.random.choice([None, 1, 2])
    file = io.BytesIO()
    if magic == b"PAR1":
        options = {"compression": draw.random.choice(["none", "none", "zstd"]), "use_dictionary": draw.often(0.2)}
        pq.write_table(table, file, row_group_size=rows, store_schema=draw.often(0.3), **options)
        return file.getvalue()
    with (pa.ipc.new_file if magic == b"ARROW1" else pa.ipc.new_stream)(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return file.getvalue()
