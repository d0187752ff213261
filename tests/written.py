"""What the tests of files write and read, with the standard library and pyarrow."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

import turnparse
from turnparse import IncompleteError, Summary

TALK = "\n\nHuman: Is tea hot?\n\nAssistant: Yes"
FORMATS = ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "arrow"]
SET_ASIDE = ".set-aside.jsonl"


def talks(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return so many transcripts, all different."""
    return [{"text": f"{TALK}, {number}."} for number in range(first, first + count)]


def pairs(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return so many pairs, all different."""
    return [{"chosen": f"{TALK}, {n}.", "rejected": f"{TALK}, not {n}."} for n in range(first, first + count)]


def as_lines(rows: Sequence[Mapping[str, Any] | bytes], ending: bytes = b"\n") -> bytes:
    """Return *rows* as JSON lines; bytes are lines already."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + ending for row in rows)


def zstd(data: bytes) -> bytes:
    """Return *data* as one frame of zstd."""
    frame: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return frame


def unzipped(path: Path) -> bytes:
    """Return what *path* holds, unzipped if its name says that it is zipped."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            plain: bytes = stream.read()
            return plain
    return data


def once(pairs_found: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, in which no key may stand twice."""
    found = dict(pairs_found)
    assert len(found) == len(pairs_found), f"a key stands twice: {[key for key, _ in pairs_found]}"
    return found


def read_back(path: Path) -> list[dict[str, Any]]:
    """Return the rows of an output of any format."""
    rows: list[dict[str, Any]]
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    elif path.suffix == ".arrow":
        with pa.ipc.open_file(path) as reader:
            rows = reader.read_all().to_pylist()
    else:
        rows = [json.loads(line, object_pairs_hook=once) for line in unzipped(path).decode("utf-8").split("\n")[:-1]]
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write *rows* in the format that the ending of *path* names."""
    if path.suffix == ".jsonl":
        path.write_bytes(as_lines(rows))
    else:
        write_table(path, pa.Table.from_pylist(rows))


def write_table(path: Path, table: pa.Table) -> None:
    """Write *table* as Parquet or Arrow, as the ending of *path* says."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)


def set_aside(path: Path) -> list[dict[str, Any]]:
    """Return the rows set aside from the output *path*."""
    aside = path.with_name(path.name + SET_ASIDE)
    return read_back(aside) if aside.exists() else []


def files_in(folder: Path) -> dict[str, bytes]:
    """Return {path in *folder*: content} of every file there, hidden ones included, but for manifests."""
    return {path: data for path, data in all_in(folder).items() if not path.endswith("manifest.json")}


def all_in(folder: Path) -> dict[str, bytes]:
    """Return {path in *folder*: content} of every file there, hidden ones and manifests included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def convert(source: Any, output: Any, **options: Any) -> Summary:
    """Convert, over what is there."""
    return turnparse.convert(source, output, **{"force": True} | options)


def run(source: object, output: Path, **options: Any) -> tuple[Summary, str]:
    """Convert, over what is there; return the summary, and what could not be read, or nothing."""
    try:
        return convert(source, output, **options), ""
    except IncompleteError as error:
        return error.summary, str(error)


def adds_up(summary: Summary) -> None:
    """Assert that every row was accounted for."""
    assert summary.rows_in == summary.rows_out + summary.rows_set_aside
    assert summary.records_out == summary.rows_out
    assert sum(summary.reasons.values()) == summary.rows_set_aside
    assert sum(summary.kinds.values()) <= summary.rows_in
