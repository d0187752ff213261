"""Files of any kind: a conversion ends with a summary or one of our own errors, and no row is lost.

What is counted is counted here, from the files that were written.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pyarrow as pa

import turnparse
from benchmarks.reference import parts
from fuzz import file_mutators, plants, seeds
from fuzz.target import Target
from turnparse import DamagedError, IncompleteError, SourceError, Summary
from turnparse._chunk_columns import ChunkReader
from written import all_in, read_back, set_aside, zstd

CHUNKS = (16, 100)
WIDE = re.compile(rb"\xff\xfe|\xfe\xff|\0")
"""What another encoding begins with, or has among its first bytes."""


class Outcome(NamedTuple):
    """What became of a file.

    Attributes:
        files: what was written, {name: content}.
        summary: the counts; None if nothing could be read.
        error: what was raised.
        written: the rows written.
        aside: the rows set aside.
    """

    files: dict[str, bytes]
    summary: Summary | None
    error: Exception | None
    written: list[dict[str, Any]]
    aside: list[dict[str, Any]]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="turnparse-fuzz-") as made:
        yield Path(made)


def converted(folder: Path, data: bytes, **options: Any) -> Outcome:
    """Return what becomes of a file that holds *data*; whatever it is, rows in are rows out and rows set aside."""
    source, outputs = folder / "in", folder / "out"
    source.write_bytes(data)
    outputs.mkdir()
    output = outputs / f"out.{options.pop('format', 'jsonl')}"
    summary: Summary | None = None
    error: Exception | None = None
    try:
        summary = turnparse.convert(source, output, manifest=False, **options)
    except IncompleteError as failed:
        summary, error = failed.summary, failed
    except SourceError as failed:
        error = failed
    assert len(str(error)) < 1000
    assert str(error).isprintable()
    made = Outcome(all_in(outputs), summary, error, read_back(output) if output.exists() else [], set_aside(output))
    for path in outputs.iterdir():
        path.unlink()
    outputs.rmdir()
    assert {name.removesuffix(".set-aside.jsonl") for name in made.files} <= {output.name}
    if summary is None:
        assert made.files == {}
    else:
        assert len(made.written) == summary.rows_out == summary.records_out
        assert len(made.aside) == summary.rows_set_aside
        assert summary.rows_in == summary.rows_out + summary.rows_set_aside
        assert all(
            row["codes"] and row["message"].isprintable() and len(row["message"]) <= 400 for row in made.aside
        )  # as tests/test_bad_inputs.py has it
    return made


def _same(one: Outcome, other: Outcome) -> None:
    assert one.files == other.files
    assert (one.summary and one.summary.as_dict()) == (other.summary and other.summary.as_dict())
    assert str(one.error) == str(other.error)


def _check_lines(data: bytes, made: Outcome, *, told: bool) -> None:
    """Check each row of a file of lines: that it is written or set aside, once, and is what it was.

    Args:
        data: the file.
        made: what became of it.
        told: whether what is written is all that a pair says.
    """
    lines = {
        number: line
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        if line.decode("utf-8", "replace").strip()
    }
    assert sorted(row["line"] for row in made.written + made.aside) == list(lines)
    for row in made.written:
        read = json.loads(lines[row["line"]])
        if told and "chosen" in read and "rejected" in read:
            assert (row["prompt"], row["chosen"], row["rejected"]) == parts(read["chosen"], read["rejected"])
    for row in made.aside:
        line = lines[row["line"]]
        kept = line.removesuffix(b"\r") if data.count(b"\n") >= row["line"] else line
        if "raw_base64" in row:
            assert base64.b64decode(row["raw_base64"]) == kept
        else:
            assert row["raw"].encode() == kept


def _elements(data: bytes) -> int | None:
    """Return how many elements an array has that is all of a file, if a plain reading finds nothing wrong with it."""
    try:
        read = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    return len(read) if isinstance(read, list) else None


def check_plain(data: bytes) -> None:
    """Check a file of lines or of an array: every line is accounted for, and however it is read, the same comes out."""
    choice, data = data[:1] or b"\0", data[1:]
    to = ("trl", "messages")[choice[0] & 1]
    options = {"to": to, "preset": ("faithful", "default")[choice[0] >> 1 & 1], "keep_columns": bool(choice[0] & 4)}
    plain = not data.startswith(seeds.ZIPPED + seeds.TABLES)
    lined = plain and not WIDE.match(data[:4]) and b"\0" not in data[:8]
    with _folder() as folder:
        made = converted(folder, data, workers=1, provenance=True, **options)
        if lined and not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[") and made.summary is not None:
            _check_lines(data, made, told=options["preset"] == "faithful" and to == "trl")
        if lined and made.summary is not None and (count := _elements(data)) is not None:
            assert made.summary.rows_in == count
        ways: list[AbstractContextManager[object]] = [
            nullcontext(),
            mock.patch.object(ChunkReader, "_at_once", return_value=None),
            *(mock.patch("turnparse._chunks.CHUNK", size) for size in CHUNKS),
        ]
        with ways[choice[0] >> 3 & 3]:
            _same(made, converted(folder, data, workers=2, provenance=True, **options))


def _twice(zip_up: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: zip_up(data[: len(data) // 2]) + zip_up(data[len(data) // 2 :]) + b"\0" * 5


ZIPS: list[Callable[[bytes], bytes]] = [
    lambda data: gzip.compress(data, mtime=0), zstd, _twice(lambda data: gzip.compress(data, mtime=0)), _twice(zstd)
]  # fmt: skip
AS_IT_IS = len(ZIPS)


def check_zipped(data: bytes) -> None:
    """Check a zipped file: what is zipped here is as what it holds, and whatever else it is, no row of it is lost."""
    choice, data = (data[:1] or b"\0")[0] % (2 * AS_IT_IS), data[1:]
    with _folder() as folder:
        if choice >= AS_IT_IS:
            made = converted(folder, data, workers=1)
            _same(made, converted(folder, data, workers=2))
            return
        if data.startswith(seeds.ZIPPED + seeds.TABLES):
            return
        made = converted(folder, data, workers=1)
        zipped = ZIPS[choice](data)
        found = converted(folder, zipped, workers=2)
        if isinstance(made.error, DamagedError):
            # What it says of the place counts the bytes as they are stored.
            assert (type(found.error), found.files) == (DamagedError, made.files)
        elif made.error is None or made.summary is None:
            _same(made, found)
        # However it is cut, what is left is its beginning.
        cut = converted(folder, zipped[: len(zipped) * 3 // 4], workers=1)
        assert cut.written == found.written[: len(cut.written)]


def _rows(data: bytes) -> int | None:
    """Return how many rows a table has, if Arrow finds nothing wrong with it."""
    try:
        return len(seeds.table_of(data))
    except (pa.ArrowException, OSError, ValueError):
        return None


def check_stored(data: bytes) -> None:
    """Check a file of Parquet or Arrow: it has as many rows as Arrow says."""
    choice, data = (data[:1] or b"\0")[0], data[1:]
    if not data.startswith(seeds.TABLES):
        return
    options: dict[str, Any] = {"preset": ("faithful", "default")[choice & 1], "keep_columns": bool(choice & 2)}
    options["format"] = "arrow" if choice & 4 else "jsonl"
    with _folder() as folder:
        made = converted(folder, data, workers=1, **options)
        _same(made, converted(folder, data, workers=2, **options))
        if made.summary is not None and made.error is None and (rows := _rows(data)) is not None:
            assert made.summary.rows_in == rows


def _with_choices(files: list[bytes], choices: int) -> list[bytes]:
    return [bytes([at % choices]) + data for at, data in enumerate(files)]


ROW = b'{"chosen": "\\n\\nHuman: q\\n\\nAssistant: a%s", "rejected": "\\n\\nHuman: q\\n\\nAssistant: b"}\n'
PLAIN = Target(
    name="convert_lines",
    about="Files of JSON lines or an array: each line is written as a plain reading has it, or set aside as it is.",
    check=check_plain,
    seeds=lambda: _with_choices(seeds.plain_files(), 32),
    plant=plants.in_lines,
    trigger=b"\0" + plants.RARE + b"\n" + ROW % b"",
    mutator=file_mutators.with_choice(file_mutators.of_lines),
    longest=2048,
)
ZIPPED = Target(
    name="convert_zipped",
    about="Files of gzip and zstd: what is zipped becomes what it holds becomes; no row of a damaged one is lost.",
    check=check_zipped,
    seeds=lambda: (
        _with_choices(seeds.plain_files()[::2], AS_IT_IS) + [bytes([AS_IT_IS]) + data for data in seeds.zipped_files()]
    ),
    plant=plants.in_unzipping,
    trigger=b"\0" + plants.RARE + ROW % b"",
    mutator=file_mutators.with_choice(file_mutators.of_zipped),
    longest=2048,
)
STORED = Target(
    name="convert_stored",
    about="Files of Parquet and Arrow: as many rows come in as Arrow finds in them.",
    check=check_stored,
    seeds=lambda: _with_choices(seeds.tables(), 8),
    plant=plants.in_batches,
    trigger=b"\0" + seeds.arrow_file([{"chosen": plants.RARE.decode() + "a", "rejected": "b"}] * 2),
    mutator=file_mutators.with_choice(file_mutators.of_stored),
)
