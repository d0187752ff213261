"""Limits and faults: what asks for too much is told, and of what may have been read amiss nothing is written."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import json_files
from turnparse import ArgumentError, DamagedError, FaultError, IncompleteError, OptionError, RowError
from turnparse._chunk_columns import ChunkReader
from turnparse._stores import LocalFile, LocalStore
from turnparse._streams import Watched
from written import TALK, adds_up, as_lines, convert, files_in, pairs, read_back, run, set_aside, talks, zstd

KEPT = 1 << 16

PADDED = st.tuples(
    st.sampled_from(["x", "é", "日本", "😀"]),
    st.integers(0, 120),
    st.sampled_from(["{}", "[]", " ", "", "\r", "\u3000"]),
)
"""A character, how often it stands in a row, and what the row ends in."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("limits")


def _outcome(folder: Path, data: bytes, **options: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files that a file of *data* becomes, and the counts."""
    (folder / "in").write_bytes(data)
    for name in ("out.jsonl", "out.jsonl.set-aside.jsonl"):
        (folder / name).unlink(missing_ok=True)
    summary, _ = run(folder / "in", folder / "out.jsonl", to="messages", **options)
    adds_up(summary)
    return {name: held for name, held in files_in(folder).items() if name != "in"}, summary.as_dict()


def _same_in_every_reader(folder: Path, data: bytes, size: int, **options: Any) -> None:
    """Assert that *data* has one outcome: at once and row by row, plain and zipped, in chunks of *size*, by any number of workers."""
    expected = _outcome(folder, data, workers=1, **options)
    with mock.patch.object(ChunkReader, "_at_once", return_value=None):
        assert _outcome(folder, data, **options) == expected
    with mock.patch("turnparse._chunks.CHUNK", size):
        assert _outcome(folder, data, workers=2, **options) == expected
    # A byte of a zipped file is another one.
    expected = _without_offsets(expected)
    for zip_up in (gzip.compress, zstd):
        assert _without_offsets(_outcome(folder, zip_up(data), **options)) == expected
        with mock.patch("turnparse._chunks.CHUNK", size):
            assert _without_offsets(_outcome(folder, zip_up(data), workers=4, **options)) == expected


def _without_offsets(found: tuple[dict[str, bytes], dict[str, Any]]) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, counts = found
    return {name: re.sub(rb'\(byte [\d,]+\)","offset":\d+', b"", held) for name, held in files.items()}, counts


# One verdict, whoever reads.


TWICE = st.lists(
    st.tuples(
        st.sampled_from(
            ["chosen", "rejected", "text", "transcript", "rating", "tags", "x", "ch\\u006fsen", "\\u0074ext"]
        ),
        st.sampled_from([json.dumps(TALK + "."), "null", "1", '["a"]', '{"x": 1, "x": 2}', '"\\\\"', '"\\"x\\": "']),
    ),
    max_size=5,
).map(lambda found: ("{" + ", ".join(f'"{key}": {value}' for key, value in found) + "}").encode())
"""Objects of JSON that may have a key twice."""


@settings(max_examples=60)
@given(data=json_files(), size=st.integers(8, 200), keep_columns=st.booleans(), limit=st.integers(20, 400))
def test_a_file_has_one_outcome(folder: Path, data: bytes, size: int, *, keep_columns: bool, limit: int) -> None:
    """Whatever a file of JSON holds, every reader makes the same of it, byte by byte, whatever the limit of a row."""
    _same_in_every_reader(folder, data, size, keep_columns=keep_columns, max_row_bytes=limit)


@settings(max_examples=60)
@given(rows=st.lists(TWICE, max_size=5), size=st.integers(8, 200), keep_columns=st.booleans())
@example(rows=[b'{"chosen": "a", "ch\\u006fsen": "b", "rejected": "c"}'], size=8, keep_columns=False)
def test_a_key_that_stands_twice_has_one_outcome(
    folder: Path, rows: list[bytes], size: int, *, keep_columns: bool
) -> None:
    """A row in which a key stands twice is the same row for every reader, in lines and in an array."""
    data = as_lines(rows)
    _same_in_every_reader(folder, data, size, keep_columns=keep_columns)
    files, counts = _outcome(folder, data, keep_columns=keep_columns)
    in_array = _outcome(folder, b"[" + b",\n".join(rows) + b"]", keep_columns=keep_columns)
    assert in_array == (files, counts | {"blank_lines": 0})


@given(rows=st.lists(TWICE, min_size=1, max_size=6))
def test_a_key_that_is_read_never_stands_twice_in_what_is_written(folder: Path, rows: list[bytes]) -> None:
    """The rows set aside as `duplicate-key` are those in which Python's own JSON finds one that is read."""
    _outcome(folder, as_lines(rows))
    found = [row["row"] for row in set_aside(folder / "out.jsonl") if row["codes"] == ["duplicate-key"]]
    expected = []
    for number, row in enumerate(rows):
        keys = [key for key, _ in json.loads(row, object_pairs_hook=list)]
        values = json.loads(row)
        pair = values.get("chosen") is not None and values.get("rejected") is not None
        is_pair = pair or (
            values.get("transcript") is None and values.get("text") is None and {"chosen", "rejected"} <= {*keys}
        )
        attempt = (
            "transcript" in keys and not is_pair and (values["transcript"] is not None or values.get("text") is None)
        )
        read = {"chosen", "rejected", "text", "transcript"} | ({"rating", "tags"} if attempt else set())
        if any(keys.count(key) > 1 for key in read):
            expected.append(number)
    assert found == expected


def test_a_key_that_travels_along_stands_once(tmp_path: Path) -> None:
    """Where columns travel along, a key that stands twice, at any depth, sets its row aside; else nobody looks at it."""
    rows = [b'{"text": "%s", "x": {"a": 1, "a": 2}}' % TALK.encode("unicode_escape"), *as_lines(talks(1)).splitlines()]
    for keep_columns, aside in ((False, 0), (True, 1)):
        _, counts = _outcome(tmp_path, as_lines(rows), keep_columns=keep_columns)
        assert (counts["rows_out"], counts["rows_set_aside"]) == (2 - aside, aside)


def test_a_message_has_each_key_once(tmp_path: Path) -> None:
    """On the way back a message with two roles is refused: what is read would hang on the reader."""
    row = b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "role": "assistant", "content": "Ho"}]}'
    (tmp_path / "in").write_bytes(row + b"\n")
    summary = convert(tmp_path / "in", tmp_path / "out.jsonl", from_="messages", to="hh-transcripts")

    assert (summary.rows_set_aside, dict(summary.diagnostics)) == (1, {"duplicate-key": 1})


# Rows that are too long.


@settings(max_examples=60)
@given(
    rows=st.lists(PADDED, max_size=6),
    limit=st.integers(30, 200),
    size=st.integers(8, 300),
    ending=st.sampled_from([b"\n", b"\r\n"]),
)
def test_a_row_is_too_long_by_its_bytes(
    folder: Path, rows: list[tuple[str, int, str]], limit: int, size: int, ending: bytes
) -> None:
    """A row, its line end left out, is set aside if it has more bytes than the limit; else it is what it was."""
    lines = [
        json.dumps({"text": char * count}, ensure_ascii=False).encode() + end.encode() for char, count, end in rows
    ]
    data = as_lines(lines, ending)
    _same_in_every_reader(folder, data, size, max_row_bytes=limit)
    _outcome(folder, data, max_row_bytes=limit)
    found = [(row["line"], row["size"]) for row in set_aside(folder / "out.jsonl") if row["codes"] == ["row-too-long"]]
    # With a line feed after it, a return belongs to the line end.
    lengths = [len(line.removesuffix(b"\r") if ending == b"\n" else line) for line in lines]
    assert found == [(number, length) for number, length in enumerate(lengths, 1) if length > limit]


@pytest.mark.parametrize("end", [0, 1, 2, 3])
@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("chunk", [1 << 12, 1 << 22])
def test_the_beginning_of_a_long_row_is_kept(tmp_path: Path, end: int, chunk: int, *, as_array: bool) -> None:
    """Of a row that is too long 64 KiB are kept, no character cut, its size is told, and its neighbours are written."""
    row = b'"' + b"x" * end + "日".encode() * 50_000 + b'"'
    rows = [as_lines(talks(1)).strip(), row, as_lines(talks(1)).strip()]
    data = b"[" + b",\n".join(rows) + b"]" if as_array else b"\n".join(rows)
    with mock.patch("turnparse._chunks.CHUNK", chunk):
        _, counts = _outcome(tmp_path, data, max_row_bytes=100_000)
    (kept,) = set_aside(tmp_path / "out.jsonl")

    assert (counts["rows_out"], kept["line"], kept["row"], kept["codes"]) == (2, 2, 1, ["row-too-long"])
    assert kept["size"] == len(row)
    assert "raw_base64" not in kept
    assert row.startswith(kept["raw"].encode())
    assert KEPT - 3 <= len(kept["raw"].encode()) <= KEPT
    assert f"{len(row):,} bytes" in kept["message"]
    assert "--max-row-bytes" in kept["message"]


def test_a_long_row_is_an_error_of_its_own(tmp_path: Path) -> None:
    """`read` tells of a row that is too long as of any other that cannot be read."""
    (tmp_path / "in").write_bytes(as_lines([*talks(1), {"text": "x" * 500}, *talks(1)]))
    errors: list[RowError] = []
    rows = list(turnparse.read(tmp_path / "in", max_row_bytes=200, on_error=errors.append))

    assert (len(rows), [(error.code, error.line) for error in errors]) == (2, [("row-too-long", 2)])


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_long_row_of_a_table(tmp_path: Path, ending: str) -> None:
    """A row of a table that is too long is set aside with its number; those around it are written, in their order."""
    rows = [*talks(3), {"text": TALK + "x" * 5000}, *talks(3, 3)]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / f"out.{ending}", to="messages", max_row_bytes=1000, provenance=True)
    written = read_back(tmp_path / f"out.{ending}")

    assert [row["messages"][1]["content"] for row in written] == [f"Yes, {number}." for number in range(6)]
    assert [(row["line"], row["row"], row["codes"]) for row in set_aside(tmp_path / f"out.{ending}")] == [
        (None, 3, ["row-too-long"])
    ]
    errors: list[RowError] = []
    read = list(turnparse.read(tmp_path / "in.parquet", max_row_bytes=1000, on_error=errors.append))
    assert ([row.origin.row for row in read if row.origin], [error.row for error in errors]) == (
        [0, 1, 2, 4, 5, 6],
        [3],
    )
    told, kept = set_aside(tmp_path / f"out.{ending}")[0], len(json.dumps(rows[3], separators=(",", ":")))
    assert (kept > told["size"], len(told["raw"])) == (True, kept)
    # Bytes of two kinds: the message does not call the larger number a part of the smaller.
    assert f"found {told['size']:,} bytes in its table; as JSON, its first {kept:,} are kept here" in told["message"]


# Files that unzip to too much.


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
def test_what_unzips_to_too_much_is_damaged(tmp_path: Path, zip_up: Callable[[bytes], bytes]) -> None:
    """What unzips to more than so many times its bytes is read so far and no farther; the first 64 MiB are free."""
    row = as_lines(talks(1))
    data = zip_up(row * (100_000_000 // len(row)))
    (tmp_path / "in").write_bytes(data)
    with pytest.raises(IncompleteError, match=r"more than 20 times its bytes.*--max-expansion") as caught:
        convert(tmp_path / "in", tmp_path / "out.parquet", to="messages", max_expansion=20)
    summary = caught.value.summary

    adds_up(summary)
    assert 1 << 26 <= summary.rows_out * len(row) < (1 << 26) + (1 << 18)
    assert [row["codes"] for row in set_aside(tmp_path / "out.parquet")] == [["source-damaged"]]
    small = zip_up(row * 10_000)
    (tmp_path / "in").write_bytes(small)
    assert convert(tmp_path / "in", tmp_path / "out.parquet", to="messages", max_expansion=1).rows_out == 10_000


def test_a_bomb_without_a_line_end_takes_little_memory(tmp_path: Path) -> None:
    """A file of a few kilobytes that unzips to one endless row is stopped, and the row is never held whole."""
    import tracemalloc

    (tmp_path / "in").write_bytes(zstd(as_lines(talks(1)) + b" x" * 50_000_000))
    tracemalloc.start()
    summary, failed = run(tmp_path / "in", tmp_path / "out.jsonl", to="messages", max_row_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "1,000 times its bytes" in failed
    assert (summary.rows_out, summary.rows_set_aside) == (1, 1)
    assert peak < 40_000_000


@pytest.mark.parametrize("name", ["max_row_bytes", "max_expansion"])
def test_a_limit_is_a_number_of_at_least_one(tmp_path: Path, name: str) -> None:
    """A limit that is none is refused before anything is read."""
    for call in (
        lambda **limit: convert("in", tmp_path / "out.jsonl", **limit),
        lambda **limit: turnparse.read("in", **limit),
    ):
        for wrong in ("10", 1.5, True):
            with pytest.raises(ArgumentError, match=name):
                call(**{name: wrong})
        with pytest.raises(OptionError, match=name):
            call(**{name: 0})


# Damage keeps what comes before it.


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
@settings(max_examples=40)
@given(at=st.integers(0, 1 << 30))
def test_damage_costs_only_what_comes_after_it(folder: Path, zip_up: Callable[[bytes], bytes], at: int) -> None:
    """Of a file with garbage in it every row is written that a decompressor gives which is fed byte by byte."""
    member = zip_up(as_lines(talks(300)))
    at = 12 + at % (len(member) - 12)
    data = zip_up(as_lines(talks(50))) + member[:at] + b"\xff" * 50
    plain = as_lines(talks(50)) + _byte_by_byte(member[:at] + b"\xff" * 50, zip_up is gzip.compress)
    (folder / "in").write_bytes(data)
    summary, failed = run(folder / "in", folder / "damaged.jsonl", to="messages")
    adds_up(summary)
    (entry,) = [row for row in set_aside(folder / "damaged.jsonl") if row["codes"] == ["source-damaged"]]

    assert failed
    assert summary.rows_in - 1 == plain.count(b"\n")
    assert len(data) - len(member[at:]) - 100 <= entry["offset"] or at <= entry["offset"] <= len(data)


def _byte_by_byte(data: bytes, is_gzip: bool) -> bytes:  # noqa: FBT001  # one of two
    import zlib

    from turnparse._streams import zstd as module

    member = zlib.decompressobj(31) if is_gzip else module().ZstdDecompressor()
    plain = b""
    for byte in data:
        try:
            plain += member.decompress(bytes([byte]))
        except (zlib.error, module().ZstdError):
            break
        if member.eof:
            break
    return plain


# Faults.


class Failing(LocalFile):
    """A file of which every read after the first few thousand bytes fails."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a little, or fail."""
        if self.tell() > 3000:
            raise OSError(5, "Input/output error")
        return super().read(4096 if size is None or not 0 <= size < 100_000 else size)


def _failing(_: LocalStore, path: str) -> LocalFile:
    return (Failing if Path(path).name.startswith("bad.") else LocalFile)(path)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet", "arrow", "arrows"])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_read_that_fails_is_a_fault(tmp_path: Path, kind: str, workers: int) -> None:
    """Of a source that cannot be read to its end, though nothing may be wrong with it, nothing is written; of others, all."""
    rows = [{"text": f"{row['text']} {os.urandom(300).hex()}"} for row in talks(200)]
    table = pa.Table.from_pylist(rows)
    for name in ("bad", "good"):
        path = tmp_path / f"{name}.{kind}"
        if kind == "parquet":
            pa.parquet.write_table(table, path)
        elif kind.startswith("arrow"):
            with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(path, table.schema) as writer:
                writer.write_table(table, 20)
        else:
            zip_up = {"jsonl.gz": gzip.compress, "jsonl.zst": zstd}.get(kind, bytes)
            path.write_bytes(zip_up(json.dumps(rows).encode() if kind == "json" else as_lines(rows)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bad.jsonl").write_text("an earlier run's\n")
    sources = [tmp_path / f"bad.{kind}", tmp_path / f"good.{kind}"]
    with (
        mock.patch.object(LocalStore, "open", _failing),
        pytest.raises(IncompleteError, match="Input/output error") as caught,
    ):
        convert(sources, tmp_path / "out", to="messages", workers=workers)

    assert re.search(rf"bad\.{kind}", str(caught.value))
    assert (caught.value.summary.rows_in, caught.value.summary.rows_out) == (200, 200)
    assert set(files_in(tmp_path / "out")) == {"bad.jsonl", "good.jsonl"}
    assert (tmp_path / "out" / "bad.jsonl").read_text() == "an earlier run's\n"
    with mock.patch.object(LocalStore, "open", _failing), pytest.raises(IncompleteError) as caught:
        convert(sources[::-1], tmp_path / "both.jsonl", to="messages", workers=workers)
    assert (caught.value.summary.rows_in, (tmp_path / "both.jsonl").exists()) == (0, False)
    with mock.patch.object(LocalStore, "open", _failing), pytest.raises(FaultError):
        list(turnparse.read(sources[0]))


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_that_changes_while_it_is_read_is_a_fault(tmp_path: Path, kind: str, change: str) -> None:
    """A source that somebody still writes to gives no output, and the message says so."""
    source = tmp_path / f"in.{kind}"
    if kind == "parquet":
        pa.parquet.write_table(pa.Table.from_pylist(pairs(50)), source, row_group_size=10)
    else:
        source.write_bytes((gzip.compress if kind == "jsonl.gz" else bytes)(as_lines(pairs(50))))

    def meddle(_: int) -> None:
        if change == "touched":
            os.utime(source, ns=(1, 1))
        else:
            os.truncate(source, 10 if change == "shorter" else 1_000_000)

    with pytest.raises(IncompleteError, match="changed") as caught:
        convert(source, tmp_path / "out.jsonl", on_bytes=meddle)
    assert caught.value.summary.rows_in == 0
    assert set(files_in(tmp_path)) == {source.name}


def test_a_source_that_is_replaced_is_read_as_it_was(tmp_path: Path) -> None:
    """A new file in the place of the source is none of this run's business: the old one is read to its end."""
    source = tmp_path / "in"
    source.write_bytes(as_lines(pairs(5)))

    def meddle(_: int) -> None:
        (tmp_path / "new").write_bytes(b"{\n")
        (tmp_path / "new").replace(source)

    assert convert(source, tmp_path / "out.jsonl", on_bytes=meddle).rows_out == 5


def test_what_is_no_file_cannot_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Standard input has no size or time that would tell."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(as_lines(pairs(5)))))

    assert convert("-", tmp_path / "out.jsonl").rows_out == 5
    Watched(io.BytesIO(), "x", lambda: None).require_whole()


def test_damage_says_where_it_is(tmp_path: Path) -> None:
    """The error of a damaged source has the byte, and says it, in `read` too."""
    data = gzip.compress(as_lines(talks(5)))
    (tmp_path / "in").write_bytes(data + b"garbage")
    rows: list[Any] = []
    with pytest.raises(DamagedError, match=rf"byte {len(data)}") as caught:
        rows.extend(turnparse.read(tmp_path / "in"))

    assert (len(rows), caught.value.offset, caught.value.line) == (5, len(data), 6)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_text_of_a_table_that_is_no_utf8_is_its_row_s_fault(tmp_path: Path, ending: str) -> None:
    """Of a table a row whose text is no UTF-8 is set aside with its bytes, and all others are written, before it and after."""
    texts = [f"\n\nHuman: {number}\n\nAssistant: Yes.".encode() for number in range(300)]
    for bad in (0, 150, 299):
        texts[bad] += b"\xff"
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), len(texts), buffers)})
    source = tmp_path / f"in.{ending}"
    if ending == "parquet":
        pq.write_table(table, source, row_group_size=100)
    else:
        with pa.ipc.new_file(source, table.schema) as writer:
            writer.write_table(table)
    summary, failed = run(source, tmp_path / "out.jsonl", to="messages")
    aside = set_aside(tmp_path / "out.jsonl")

    assert (summary.rows_in, summary.rows_out, failed) == (300, 297, "")
    assert [(entry["row"], entry["codes"]) for entry in aside] == [(bad, ["bad-json"]) for bad in (0, 150, 299)]
    assert all(b"\xff" in base64.b64decode(entry["raw_base64"]) for entry in aside)


def test_rows_after_one_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    """A row of a table that is no UTF-8, or too long, counts among those before the next ones, in every number that is written."""
    texts = [f"{TALK}, {number}.".encode() for number in range(6)]
    texts[1], texts[3] = b"\xff", b"x" * 5_000
    times = pa.array(range(6), pa.timestamp("ns"))
    pa.parquet.write_table(pa.table({"text": pa.array(texts).view(pa.string()), "at": times}), tmp_path / "in.parquet")
    convert(tmp_path / "in.parquet", tmp_path / "out.jsonl", to="verl-rl", max_row_bytes=1_000)
    read = turnparse.read(tmp_path / "in.parquet", max_row_bytes=1_000, on_error=lambda _: None)

    assert [row["extra_info"]["index"] for row in read_back(tmp_path / "out.jsonl")] == [0, 2, 4, 5]
    assert [row["row"] for row in set_aside(tmp_path / "out.jsonl")] == [1, 3]
    assert [item.origin.row for item in read if item.origin] == [0, 2, 4, 5]


@pytest.mark.parametrize("nested", [False, True])
def test_a_text_that_is_no_utf8_hides_no_damage(tmp_path: Path, nested: bool) -> None:  # noqa: FBT001
    """Arrow tells of such a text and of no other column, yet a text that ends beyond the file is not read to where it ends."""
    texts = [TALK.encode()] * 4
    odd = pa.array([text + b"\xff" * (row == 1) for row, text in enumerate(texts)], pa.binary()).view(pa.string())
    odd = pa.ListArray.from_arrays([*range(5)], odd) if nested else odd
    table = pa.table({"odd": odd, "text": pa.array([TALK] * 4)})
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    broken = ends.copy()
    broken[3] = 1 << 14
    (tmp_path / "in").write_bytes(file.getvalue().replace(ends.tobytes(), broken.tobytes()))
    summary, failed = run(tmp_path / "in", tmp_path / "out.jsonl", to="messages")
    aside = set_aside(tmp_path / "out.jsonl")

    assert "read the source to its end" in failed
    assert aside[-1]["codes"] == ["source-damaged"]
    assert summary.rows_in == 3
    assert all(len(entry.get("raw", entry.get("raw_base64", ""))) < 400 for entry in aside)
