"""What `convert` reads: JSON in chunks, zipped or not, Parquet and Arrow. One row is the same row however it comes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
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

from strategies import ODD_VALUES, PAIR_ROWS, SOUND_VALUES, json_files
from turnparse import IncompleteError, SourceError, TurnparseError
from turnparse._chunk_columns import ChunkReader
from turnparse._codes import PRESETS
from written import TALK, adds_up, as_lines, convert, files_in, pairs, read_back, run, set_aside, talks, zstd

TARGETS = ["trl", "trl-implicit", "messages"]
RENAMED = ("good", "bad", "dialogue")
USUAL = ("chosen", "rejected", "transcript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("files")


@contextmanager
def never_at_once() -> Iterator[None]:
    """Let every chunk be read row by row."""
    with mock.patch.object(ChunkReader, "_at_once", return_value=None):
        yield


@contextmanager
def chunks_of(size: int) -> Iterator[None]:
    """Let chunks be cut after so many bytes."""
    with mock.patch("turnparse._chunks.CHUNK", size):
        yield


def outcome(folder: Path, data: bytes, ending: str, **options: Any) -> tuple[dict[str, bytes], dict[str, Any], str]:
    """Return what became of a file that holds *data*: the files written, the counts, and what could not be read."""
    (folder / "in").write_bytes(data)
    for name in (f"out.{ending}", f"out.{ending}.set-aside.jsonl"):
        (folder / name).unlink(missing_ok=True)
    counts: dict[str, Any] = {}
    try:
        summary, failed = run(folder / "in", folder / f"out.{ending}", **options)
        adds_up(summary)
        counts = summary.as_dict()
    except TurnparseError as error:
        failed = f"{type(error).__name__}: {error}"
    return {name: held for name, held in files_in(folder).items() if name != "in"}, counts, failed


def in_rows(found: tuple[dict[str, bytes], dict[str, Any], str], folder: Path) -> tuple[Any, dict[str, Any], str]:
    """Return an outcome with the rows of each file in place of its bytes."""
    files, counts, failed = found
    rows = {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        rows[name] = read_back(folder / name)
    return rows, counts, failed


def at_once_or_not(folder: Path, data: bytes, ending: str, **options: Any) -> None:
    """Assert that a file becomes the same whether its chunks may be read at once or not."""
    at_once = outcome(folder, data, ending, **options)
    with never_at_once():
        one_by_one = outcome(folder, data, ending, **options)
    assert at_once == one_by_one


# A clean chunk and one that is read row by row.


@settings(max_examples=150)
@given(
    data=json_files(),
    to=st.sampled_from(TARGETS),
    preset=st.sampled_from(PRESETS),
    keep_columns=st.sampled_from([False, False, False, True]),
    provenance=st.booleans(),
    ending=st.sampled_from(["jsonl", "jsonl", "parquet"]),
)
def test_a_chunk_at_once_is_its_rows_one_by_one(folder: Path, data: bytes, ending: str, **options: Any) -> None:
    """Rows, rows set aside and counts are the same, byte by byte, whether a chunk is read at once or row by row."""
    at_once_or_not(folder, data, ending, **options)


@settings(max_examples=60)
@given(data=json_files(RENAMED), to=st.sampled_from(TARGETS), preset=st.sampled_from(PRESETS), provenance=st.booleans())
def test_a_chunk_at_once_is_its_rows_one_by_one_under_other_names(folder: Path, data: bytes, **options: Any) -> None:
    """The same holds where the columns of texts have other names."""
    at_once_or_not(folder, data, "jsonl", **dict(zip(USUAL, RENAMED, strict=True)), **options)


CLASHING = [
    {"chosen": "text"},
    {"transcript": "text"},
    {"transcript": "chosen"},
    {"chosen": "transcript", "rejected": "text"},
    {"chosen": "rating"},
    {"transcript": "tags"},
    {"rejected": "task_descripton_harmlessness_score"},
    {"chosen": "", "rejected": "x\0"},
    {"transcript": "\ud800"},
]
"""Names that are those of other columns, or that no file can have."""


@settings(max_examples=50)
@given(data=json_files(), names=st.sampled_from(CLASHING), to=st.sampled_from(TARGETS))
def test_columns_under_each_others_names(folder: Path, data: bytes, names: dict[str, str], to: str) -> None:
    """The same holds where a column of texts has the name of another column."""
    at_once_or_not(folder, data, "jsonl", to=to, **names)


ONE, TWO, THREE = (json.dumps(row).encode() for row in talks(3))
BROKEN = THREE.replace(b": ", b":\n", 1)


@pytest.mark.parametrize(
    "lines",
    [
        [ONE + TWO, BROKEN],
        [BROKEN, ONE + TWO],
        [ONE + b" " + TWO, b"", THREE],
        [ONE + TWO, b" "],
        [b"", ONE + TWO],
        [ONE + b"," + TWO, BROKEN],
        [ONE + b"\r" + TWO, THREE.replace(b": ", b":\r\n", 1)],
        [ONE + TWO + b"}", b"{" + BROKEN],
        [b'{"x":{}', b"}" + ONE],
        [b'{"x":{}', b',"y":{}}', ONE + TWO],
        [b'{"x":{}}{"x":{}', b"}"],
        [b'{"x":[{}', b",{}]}" + ONE + TWO],
        [ONE[:-1] + b',"x":[1,', b'{"y":2}]}', ONE + TWO],
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_lines_and_objects_that_are_as_many_by_chance(tmp_path: Path, lines: list[bytes], ending: bytes) -> None:
    """Two objects on one line, and one over two, are wrong rows, though there are as many lines as objects."""
    data = as_lines([ONE, *lines, TWO], ending)
    at_once_or_not(tmp_path, data, "jsonl", to="messages")
    _, counts, _ = outcome(tmp_path, data, "jsonl", to="messages")

    assert counts["diagnostics"]["bad-json"] >= 1
    assert counts["rows_in"] + counts["blank_lines"] == data.count(b"\n")


BOTH = {"chosen": f"{TALK}.", "rejected": f"{TALK}!"}
SOME = [
    [BOTH, {"transcript": TALK}],
    [BOTH | {"transcript": TALK}, {"transcript": f"{TALK}?"}],
    [BOTH | {"text": TALK}, {"text": f"{TALK}?"}],
    [BOTH | {"transcript": None}, {"chosen": None, "rejected": TALK, "transcript": TALK}],
    [BOTH | {"chosen": None, "transcript": TALK}, {"transcript": f"{TALK}?"}],
    [BOTH | {"chosen": None, "text": TALK}, {"transcript": TALK, "text": f"{TALK}?"}],
    [{"transcript": TALK, "text": TALK}, {"text": TALK, "rating": 1}],
    [{"text": TALK, "transcript": None, "rating": 1}, {"text": TALK, "tags": ["a"]}],
    [{"transcript": TALK, "tags": ["a", None]}, {"transcript": TALK, "tags": None}],
    [{"transcript": TALK, "task_descripton_harmlessness_score": 1}, {"transcript": TALK, "task_description_harmlessness_score": 2}],
    [{"transcript": TALK, "task_descripton_harmlessness_score": 1, "task_description_harmlessness_score": 2}],
    [{"transcript": TALK, "task_descripton_harmlessness_score": None, "task_description_harmlessness_score": 2}],
    [{"transcript": TALK, "rating": 2**53 + 1, "red_team_member_id": 2**63 - 1}],
    [BOTH | {"rating": "x"}, BOTH | {"tags": 1}],
]  # fmt: skip
"""Rows that are of several kinds, or whose metadata is of two minds."""


@pytest.mark.parametrize("rows", SOME)
@pytest.mark.parametrize("names", [{}, {"transcript": "dialogue"}, {"chosen": "good"}])
@pytest.mark.parametrize("to", TARGETS)
def test_rows_of_several_kinds_are_the_same_in_any_chunk(
    tmp_path: Path, rows: list[dict[str, Any]], names: dict[str, str], to: str
) -> None:
    """Which kind a row is of, and its metadata, is never its neighbours' doing."""
    renamed = [{names.get(key, key): value for key, value in row.items()} for row in rows]
    for given_rows in (renamed, renamed[::-1], renamed * 2):
        at_once_or_not(tmp_path, as_lines(given_rows), "jsonl", to=to, **names)


@pytest.mark.parametrize("rows", [pairs(3), talks(3), [{"transcript": TALK, "rating": 1, "tags": ["a"]}] * 3])
@pytest.mark.parametrize("pretty", [None, "lines", "array"])
def test_a_clean_chunk_is_read_at_once(rows: list[dict[str, Any]], pretty: str | None, tmp_path: Path) -> None:
    """The fast way is taken for clean rows of each kind, or the properties above would prove nothing."""
    data = json.dumps(rows).encode() if pretty == "array" else as_lines(rows, b"\r\n" if pretty else b"\n")
    taken = []
    at_once = ChunkReader._at_once  # noqa: SLF001  # to see whether it is taken

    def seen(self: ChunkReader, chunk: Any) -> Any:
        taken.append(at_once(self, chunk))
        return taken[-1]

    with mock.patch.object(ChunkReader, "_at_once", seen):
        outcome(tmp_path, data, "jsonl", to="messages")
    assert all(found is not None for found in taken)
    assert len(taken) == 1


def whole(value: bytes, key: bytes = b"x") -> bytes:
    """Return a line that is a transcript with one more key."""
    return b'{"text":' + json.dumps(TALK).encode() + b',"' + key + b'":' + value + b"}\n"


@pytest.mark.parametrize("value", [*SOUND_VALUES, *ODD_VALUES], ids=lambda value: ascii(value[:20]) + str(len(value)))
@pytest.mark.parametrize("key", ["x", "text", "rating", "tags", "chosen", "red_team_member_id"])
def test_a_value_is_the_same_in_any_chunk(tmp_path: Path, key: str, value: bytes) -> None:
    """Whatever the value of a column, read or not, its row and its neighbours become the same either way."""
    name = "transcript" if key in {"rating", "tags", "red_team_member_id"} else "text"
    rows = [{name: f"{TALK}, {number}."} for number in range(2)]
    line = whole(value, key.encode()).replace(b'"text":', f'"{name}":'.encode(), 1)

    at_once_or_not(tmp_path, as_lines(rows) + line + as_lines(rows), "jsonl", to="messages")


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("nested", ["%s", "[%s]", '{"a": %s}'])
def test_numbers_that_json_does_not_have(tmp_path: Path, name: str, nested: str) -> None:
    """A row with NaN or infinity is no JSON, also where nobody reads the column, and whoever its neighbours are."""
    line = whole((nested % name).encode())
    _, counts, _ = outcome(tmp_path, as_lines(talks(2)) + line, "jsonl", to="messages")

    assert counts["diagnostics"] == {"bad-json": 1}
    assert [row["raw"] for row in set_aside(tmp_path / "out.jsonl")] == [line.decode().removesuffix("\n")]
    at_once_or_not(tmp_path, line, "jsonl", to="messages")


def test_metadata_that_json_does_not_have(tmp_path: Path) -> None:
    """An attempt whose rating is NaN is set aside, not written with another rating."""
    line = b'{"transcript":' + json.dumps(TALK).encode() + b',"rating":NaN}\n'
    _, counts, _ = outcome(tmp_path, line, "jsonl", to="messages")

    assert counts["diagnostics"] == {"bad-json": 1}


def test_a_negative_nought(tmp_path: Path) -> None:
    """A number is written the same whether its neighbours are clean or not."""
    line = b'{"transcript":' + json.dumps(TALK).encode() + b',"rating":-0}\n'

    at_once_or_not(tmp_path, line, "jsonl", to="messages")


def test_the_smallest_number_of_64_bits(tmp_path: Path) -> None:
    """A number that fits into 64 bits by a hair sets no row aside, whether its neighbours are clean or not."""
    line = whole(b"-9223372036854775808", b"red_team_member_id").replace(b'"text":"', b'"transcript":"Be brief.')

    at_once_or_not(tmp_path, line, "jsonl", to="messages")


def test_a_return_at_the_very_end(tmp_path: Path) -> None:
    """A carriage return that no line feed follows belongs to the last row, which is kept exactly as it was read."""
    line = b'{"chosen":"x","rejected":"y"}\r'
    outcome(tmp_path, line, "jsonl")

    assert [row["raw"] for row in set_aside(tmp_path / "out.jsonl")] == [line.decode()]
    at_once_or_not(tmp_path, line, "jsonl")


@pytest.mark.parametrize("key", ["x", "rating"])
def test_a_number_that_is_too_large_does_not_become_null(tmp_path: Path, key: str) -> None:
    """A number that JSON has and floats do not is set aside or written, but not as another value."""
    line = whole(b"1e400", key.encode()).replace(b'"text"', b'"transcript"')
    outcome(tmp_path, line, "jsonl", to="messages", keep_columns=True)

    assert [row for row in read_back(tmp_path / "out.jsonl") if row[key] is None] == []


def deep_row(levels: int, middle: bytes) -> bytes:
    """Return a transcript with a column nested so many levels deep."""
    return whole(b"[" * levels + middle + b"]" * levels)


def deeper(frames: int, call: Callable[[], Any]) -> Any:
    """Return what *call* returns so many calls further down."""
    return call() if frames == 0 else deeper(frames - 1, call)


@pytest.mark.parametrize("middle", [b"1", b"1234567890123456789012"])
def test_depth_does_not_hang_on_the_caller(tmp_path: Path, middle: bytes) -> None:
    """How deep a row may be nested hangs neither on who calls nor on the number of threads."""
    lines = [deep_row(levels, middle) for levels in (500, 700, 850, 899, 920, 940, 960, 980, 1000)]
    data = b"".join(lines) + b"\n"
    found = [
        deeper(frames, lambda: outcome(tmp_path, data, "jsonl", to="messages", workers=workers))  # noqa: B023  # called at once
        for workers in (1, 3)
        for frames in (0, 100, 300)
    ]
    assert sys.getrecursionlimit() == 1000
    assert all(other == found[0] for other in found)


# Chunks of every size.


@settings(max_examples=40)
@given(
    data=json_files(),
    size=st.integers(16, 200),
    to=st.sampled_from(TARGETS),
    preset=st.sampled_from(PRESETS),
    keep_columns=st.booleans(),
    provenance=st.booleans(),
    workers=st.sampled_from([1, 3]),
)
def test_chunks_of_any_size_give_the_same(folder: Path, data: bytes, size: int, workers: int, **options: Any) -> None:
    """Wherever a file is cut into chunks, rows, rows set aside, their places and the counts are the same."""
    expected = outcome(folder, data, "jsonl", **options)
    with chunks_of(size):
        assert outcome(folder, data, "jsonl", workers=workers, **options) == expected


@settings(max_examples=20)
@given(data=json_files(), size=st.integers(16, 200), to=st.sampled_from(["trl", "trl-implicit"]))
def test_chunks_of_any_size_give_the_same_table(folder: Path, data: bytes, size: int, to: str) -> None:
    """The same holds for the rows of Parquet."""
    expected = in_rows(outcome(folder, data, "parquet", to=to), folder)
    with chunks_of(size):
        assert in_rows(outcome(folder, data, "parquet", to=to, workers=3), folder) == expected


def bad_lines(data: bytes) -> list[tuple[int, str]]:
    """Return (line, text) of each line of *data* that has the word bad."""
    return [(number, text) for number, text in enumerate(data.decode().split("\n"), 1) if "bad" in text]


@pytest.mark.parametrize("size", [16, 64, 1000, 1 << 20])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b"\n \r\n\xe2\x80\xa8\n"])
@pytest.mark.parametrize("zipped", [bytes, gzip.compress, zstd])
def test_lines_of_rows_set_aside_are_exact(
    tmp_path: Path, size: int, ending: bytes, zipped: Callable[[bytes], bytes]
) -> None:
    """Rows set aside have the number of their line, however many chunks and blank lines came before."""
    rows = [{"text": f"bad {number}"} if number % 7 == 3 else row for number, row in enumerate(talks(300))]
    data = b"\n\n" + as_lines(rows, ending)
    (tmp_path / "in").write_bytes(zipped(data))
    with chunks_of(size):
        summary = convert(tmp_path / "in", tmp_path / "out.jsonl", to="messages", workers=2)

    found = [(row["line"], row["raw"]) for row in set_aside(tmp_path / "out.jsonl")]
    assert found == [(line, text.removesuffix("\r")) for line, text in bad_lines(data)]
    assert [row["row"] for row in set_aside(tmp_path / "out.jsonl")] == list(range(3, 300, 7))
    assert summary.blank_lines == 2 + 300 * (ending.count(b"\n") - 1)


@pytest.mark.parametrize("size", [16, 300, 1 << 20])
@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("provenance", [False, True])
def test_lines_of_elements_are_exact(tmp_path: Path, size: int, indent: int | None, *, provenance: bool) -> None:
    """Elements of an array have the line where they begin, pretty or on one line, written or set aside."""
    rows = [{"text": f"bad {number}"} if number % 7 == 3 else row for number, row in enumerate(talks(100))]
    text = "\n \n" + json.dumps(rows, indent=indent).replace("\n", "\r\n") + "\n"
    (tmp_path / "in").write_bytes(text.encode())
    with chunks_of(size):
        convert(tmp_path / "in", tmp_path / "out.jsonl", to="messages", workers=2, provenance=provenance)

    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        lines += [number] * (len(rows) if indent is None and line.startswith("[") else line.lstrip().startswith("{"))
    assert [row["line"] for row in set_aside(tmp_path / "out.jsonl")] == lines[3::7]
    assert [json.loads(row["raw"]) for row in set_aside(tmp_path / "out.jsonl")] == rows[3::7]
    if provenance:
        kept = [line for number, line in enumerate(lines) if number % 7 != 3]
        assert [row["line"] for row in read_back(tmp_path / "out.jsonl")] == kept


# Parquet and Arrow.


def write_parquet(path: Path, table: Any) -> None:
    """Write a table as Parquet of many row groups."""
    pq.write_table(table, path, row_group_size=2)


def write_file(path: Path, table: Any) -> None:
    """Write a table as a file of Arrow IPC."""
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, 2)


def write_stream(path: Path, table: Any) -> None:
    """Write a table as a stream of Arrow IPC."""
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, 2)


def write_feather(path: Path, table: Any) -> None:
    """Write a table as a zipped file of Arrow IPC, as Feather is."""
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table, 3)


WRITERS = [write_parquet, write_file, write_stream, write_feather]
TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


def column(texts: list[str | None], kind: Any) -> Any:
    """Return *texts* as a slice of a longer array of type *kind*."""
    padded = ["before", *texts, "after"]
    array = (
        pa.array(padded, pa.string()).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(padded, kind)
    )
    return array.slice(1, len(texts))


def compared(
    folder: Path, table: Any, write: Callable[[Path, Any], None], ending: str, **options: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what became of a table: it must be what becomes of its rows as JSON lines, but for where they stood."""
    rows = table.to_pylist()
    (folder / "in.jsonl").write_bytes(as_lines(rows))
    write(folder / "in.table", table)
    written, aside, counts = [], [], []
    for source in (folder / "in.table", folder / "in.jsonl"):
        summary = convert(source, folder / f"out.{ending}", **options)
        counts.append(summary.as_dict() | {"blank_lines": 0})
        written.append(read_back(folder / f"out.{ending}"))
        aside.append(set_aside(folder / f"out.{ending}"))
    assert [row | {"source": "", "line": 0} if "source" in row else row for row in written[0]] == [
        row | {"source": "", "line": 0} if "source" in row else row for row in written[1]
    ]
    assert counts[0] == counts[1]
    assert [(row["row"], row["codes"]) for row in aside[0]] == [(row["row"], row["codes"]) for row in aside[1]]
    assert all(row["line"] is None for row in aside[0])
    assert [json.loads(row["raw"]) for row in aside[0]] == [json.loads(row["raw"]) for row in aside[1]]
    return written[0], aside[0]


@settings(max_examples=40)
@given(
    rows=PAIR_ROWS,
    nulls=st.sets(st.integers(0, 15), max_size=2),
    kinds=st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)),
    write=st.sampled_from(WRITERS),
    ending=st.sampled_from(["jsonl", "parquet", "arrow"]),
    to=st.sampled_from(TARGETS),
    preset=st.sampled_from(PRESETS),
    provenance=st.booleans(),
)
def test_a_table_of_pairs_is_its_rows_as_lines(  # noqa: PLR0917  # hypothesis names them
    folder: Path,
    rows: list[tuple[str, str]],
    nulls: set[int],
    kinds: tuple[Any, Any],
    write: Callable[[Path, Any], None],
    ending: str,
    **options: Any,
) -> None:
    """Of pairs in Parquet and Arrow, of every type of text, becomes what becomes of the same rows as JSON lines."""
    sides: list[list[str | None]] = [[row[side] for row in rows] for side in (0, 1)]
    for null in nulls:
        if null // 2 < len(rows):
            sides[null % 2][null // 2] = None
    columns = [column(side, kind) for side, kind in zip(sides, kinds, strict=True)]
    compared(folder, pa.table(columns, names=["chosen", "rejected"]), write, ending, **options)


ATTEMPTS: list[dict[str, Any]] = [
    {"transcript": f"{TALK}.", "rating": 4.0, "num_params": "52B", "tags": ["a"], "red_team_member_id": 1, "more": 1},
    {"transcript": f"Be brief.{TALK}.", "rating": None, "num_params": None, "tags": None, "red_team_member_id": 2},
    {"transcript": None, "rating": 1.0, "num_params": None, "tags": [], "red_team_member_id": None, "more": None},
    {"transcript": f"{TALK}, yes.", "rating": 2.5, "is_upworker": True, "tags": [], "red_team_member_id": 3, "more": 2},
]
MIXED: list[dict[str, Any]] = [
    {"chosen": f"{TALK}.", "rejected": f"{TALK}!", "transcript": None, "text": None},
    {"chosen": f"Be brief.{TALK}.", "rejected": f"{TALK}!", "transcript": None, "text": None},
    {"chosen": None, "rejected": None, "transcript": f"{TALK}?", "text": None},
    {"chosen": None, "rejected": None, "transcript": None, "text": f"{TALK}."},
    {"chosen": None, "rejected": None, "transcript": None, "text": None},
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("keep_columns", [False, True])
def test_a_table_of_attempts_is_its_rows_as_lines(
    tmp_path: Path, write: Callable[[Path, Any], None], ending: str, *, keep_columns: bool
) -> None:
    """Metadata of attempts goes through tables as it goes through JSON lines."""
    names = dict.fromkeys(name for row in ATTEMPTS for name in row)
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in ATTEMPTS])
    written, aside = compared(tmp_path, table, write, ending, to="messages", keep_columns=keep_columns)

    assert [row["rating"] for row in written] == [4.0, None, 2.5]
    assert len(aside) == 1


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", ["transcript", "dialogue"])
def test_metadata_that_is_written_does_not_travel_along_too(
    tmp_path: Path, write: Callable[[Path, Any], None], name: str
) -> None:
    """A line of an attempt has each key once, and no other spelling of one, also where columns are to be kept."""
    rows = [
        {name: f"{TALK}.", "rating": 4.0, "task_descripton_harmlessness_score": 0.5, "more": 1},
        {name: f"Be brief.{TALK}.", "rating": 4.0, "task_descripton_harmlessness_score": 0.5, "more": 1},
    ]
    written, _ = compared(
        tmp_path, pa.Table.from_pylist(rows), write, "jsonl", to="messages", keep_columns=True, transcript=name
    )
    assert [row.keys() for row in written] == [written[0].keys()] * 2


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("keep_columns", [False, True])
def test_a_table_of_several_kinds_is_its_rows_as_lines(
    tmp_path: Path, write: Callable[[Path, Any], None], *, keep_columns: bool
) -> None:
    """In a table of several kinds of rows each has the columns of its own kind, regular or not."""
    compared(tmp_path, pa.Table.from_pylist(MIXED), write, "jsonl", to="messages", keep_columns=keep_columns)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("ending", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    "columns", [{"text": pa.string()}, {"chosen": pa.string(), "rejected": pa.string()}, {"x": pa.int8()}]
)
def test_a_table_without_rows(
    tmp_path: Path, write: Callable[[Path, Any], None], ending: str, columns: dict[str, Any]
) -> None:
    """A table without rows gives an output without rows, and no row set aside."""
    assert compared(tmp_path, pa.schema(columns).empty_table(), write, ending) == ([], [])


def three_rows(values: Any) -> Any:
    """Return transcripts with one more column; the second is odd, the third is set aside."""
    return pa.table({"text": [f"{TALK}.", f"Be brief.{TALK}.", "no turns"], "x": values})


OTHER_TYPES = [
    pa.array([date(2024, 2, 29), None, date(1, 1, 1)]),
    pa.array([datetime(2024, 2, 29, 1, 2, 3, 4, UTC), None, datetime(1970, 1, 1, tzinfo=UTC)]),
    pa.array([np.float16(1.5), None, np.float16(2.5)], pa.float16()),
    pa.array([2**64 - 1, None, 0], pa.uint64()),
    pa.nulls(3),
    pa.array([[date(2024, 2, 29)], None, []]),
    pa.array([{"a": date(2024, 2, 29)}, None, {"a": None}]),
    pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
    pa.array(["a", None, "b"], pa.string_view()),
    pa.array([5, None, 5]).dictionary_encode(),
    pa.array(["é", None, "é"]).dictionary_encode(),
]
HARDER_TYPES = [
    pa.array([b"\xff", None, b"a"]),
    pa.array([Decimal("1.10"), None, Decimal(2)]),
    pa.array([[Decimal("1.10")], None, []]),
    pa.array([[b"\xff"], None, []]),
    pa.array([1, 2, 3], pa.timestamp("ns")),
    pa.array([1, 2, 3], pa.time64("ns")),
    pa.array([1, 2, 3], pa.duration("ns")),
    pa.array([1, 10**7, 10**7], pa.date32()),
    pa.array([b"a", None, b"b"], pa.binary_view()),
    pa.array([["a"], None, ["b"]], pa.list_(pa.string_view())),
    pa.StructArray.from_arrays([pa.array([1, 2, 3]), pa.array([4, 5, 6])], ["a", "a"]),
]


def goes_through(folder: Path, values: Any, write: Callable[[Path, Any], None], ending: str) -> None:
    """Assert that a table goes through whether a column is kept or not."""
    write(folder / "in.table", three_rows(values))
    for keep_columns in (False, True):
        output = folder / f"out.{ending}"
        summary, failed = run(folder / "in.table", output, to="messages", keep_columns=keep_columns)
        assert (summary.rows_in, summary.rows_out, failed) == (3, 2, "")
        (aside,) = set_aside(output)
        assert json.loads(aside["raw"])["text"] == "no turns"
        if ending == "jsonl":
            assert ["x" in row for row in read_back(output)] == [keep_columns] * 2
        elif keep_columns:
            kept = pq.read_table(output) if ending == "parquet" else pa.ipc.open_file(output).read_all()
            assert kept["x"].combine_chunks().equals(values[:2].cast(kept["x"].type))


@pytest.mark.parametrize("write", [write_parquet, write_stream])
@pytest.mark.parametrize("ending", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("values", OTHER_TYPES, ids=lambda values: str(values.type))
def test_columns_of_other_types_travel_along(
    tmp_path: Path, values: Any, write: Callable[[Path, Any], None], ending: str
) -> None:
    """A column that nobody reads hinders no row, whatever its type, and is written when it is to be kept."""
    goes_through(tmp_path, values, write, ending)


@pytest.mark.parametrize("write", [write_parquet, write_stream])
@pytest.mark.parametrize("ending", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("values", HARDER_TYPES, ids=lambda values: str(values.type))
def test_columns_that_python_cannot_hold_travel_along(
    tmp_path: Path, values: Any, write: Callable[[Path, Any], None], ending: str
) -> None:
    """The same holds for types that neither JSON nor Python has."""
    goes_through(tmp_path, values, write, ending)


def test_provenance_of_a_table_has_no_line(tmp_path: Path) -> None:
    """A row of a table says its file, and null for the line."""
    write_parquet(tmp_path / "in.parquet", pa.Table.from_pylist(talks(3)))
    convert(tmp_path / "in.parquet", tmp_path / "out.parquet", to="messages", provenance=True)

    assert [(row["source"], row["line"]) for row in read_back(tmp_path / "out.parquet")] == [
        (str(tmp_path / "in.parquet"), None)
    ] * 3


# What is damaged.


def damaged(folder: Path, data: bytes) -> tuple[int, int]:
    """Return how many rows of a damaged source were written, and set aside; it must be told that it is damaged, and where."""
    (folder / "good.jsonl").write_bytes(as_lines(talks(2)))
    (folder / "in").write_bytes(data)
    with pytest.raises(IncompleteError, match="read the source to its end") as caught:
        convert([folder / "in", folder / "good.jsonl"], folder / "out.jsonl", to="messages")
    summary = caught.value.summary
    adds_up(summary)
    written = read_back(folder / "out.jsonl")
    assert [row["messages"][1]["content"] for row in written[-2:]] == ["Yes, 0.", "Yes, 1."]
    # What was written are the rows from the first on, without a gap.
    assert [row["messages"][1]["content"] for row in written[:-2]] == [f"Yes, {n}." for n in range(len(written) - 2)]
    out, aside = summary.rows_out - 2, summary.rows_set_aside
    if not (out or aside):
        return 0, 0
    # The damage counts as a row, the last one of its source.
    entry = set_aside(folder / "out.jsonl")[-1]
    assert (entry["codes"], entry["row"], entry["raw"]) == (["source-damaged"], out + aside - 1, "")
    assert 0 <= entry["offset"] <= len(data)
    assert f"(byte {entry['offset']:,})" in entry["message"]
    assert summary.diagnostics["source-damaged"] == 1
    return out, aside - 1


MANY = as_lines(talks(5000))
FEW = as_lines(talks(20))


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
def test_frames_follow_each_other(tmp_path: Path, zip_up: Callable[[bytes], bytes]) -> None:
    """Several members or frames, empty ones too, are one text, even where one ends inside a row."""
    data = b"".join(map(zip_up, [MANY[:100_001], b"", MANY[100_001:100_002], MANY[100_002:], b""]))
    (tmp_path / "in").write_bytes(data)
    summary = convert(tmp_path / "in", tmp_path / "out.jsonl", to="messages")

    assert (summary.rows_in, summary.rows_out) == (5000, 5000)


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
@pytest.mark.parametrize("cut", [-1, -5, 0.5, 0.9])
def test_rows_before_a_cut_are_kept(tmp_path: Path, zip_up: Callable[[bytes], bytes], cut: float) -> None:
    """A zipped file that was cut off gives the rows before, and is told."""
    # zstd has nothing of a block before it is whole, and makes them of 128 KiB.
    data = zip_up(as_lines(talks(50_000)))
    out, aside = damaged(tmp_path, data[: int(cut * len(data)) if cut > 0 else int(cut)])

    assert 5_000 < out + aside <= 50_000
    assert aside <= 1


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
@pytest.mark.parametrize("tail", [b"x", b"garbage" * 10, FEW])
@pytest.mark.parametrize("plain", [FEW, MANY])
def test_rows_before_garbage_are_kept(
    tmp_path: Path, zip_up: Callable[[bytes], bytes], tail: bytes, plain: bytes
) -> None:
    """All rows that are whole in front of what is not zipped are written."""
    assert damaged(tmp_path, zip_up(plain) + tail) == (plain.count(b"\n"), 0)


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
def test_rows_of_a_small_file_before_a_cut_are_kept(tmp_path: Path, zip_up: Callable[[bytes], bytes]) -> None:
    """Of a small file whose second member was cut off the first one's rows are written."""
    out, _ = damaged(tmp_path, zip_up(FEW) + zip_up(as_lines(talks(20, 20)))[:-6])

    assert out >= 20


@pytest.mark.parametrize("zip_up", [gzip.compress, zstd])
@given(data=st.data())
@settings(max_examples=20)
def test_a_flipped_byte_never_makes_a_row(folder: Path, zip_up: Callable[[bytes], bytes], data: st.DataObject) -> None:
    """Of a zipped file with a byte changed rows of the file are written, or our own error is raised."""
    whole_file = bytearray(zip_up(MANY[:60_000]))
    whole_file[data.draw(st.integers(0, len(whole_file) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "in").write_bytes(whole_file)
    try:
        summary, failed = run(folder / "in", folder / "out.jsonl", to="messages")
    except SourceError:
        return
    adds_up(summary)
    if failed and "may be wrong" not in failed:
        written = read_back(folder / "out.jsonl")
        assert all(row["messages"][1]["content"] == f"Yes, {number}." for number, row in enumerate(written[:-2]))


def parquet_bytes(folder: Path, **options: Any) -> bytes:
    """Return a file of Parquet with many row groups."""
    pq.write_table(pa.Table.from_pylist(talks(3000)), folder / "whole", row_group_size=500, **options)
    return (folder / "whole").read_bytes()


def test_a_parquet_file_without_its_end(tmp_path: Path) -> None:
    """Parquet has its table of contents at the end: without it nothing can be read, and that is told."""
    data = parquet_bytes(tmp_path)
    for cut in (1, 8, 20, len(data) // 2, len(data) - 4):
        assert damaged(tmp_path, data[:-cut]) == (0, 0)


def test_rows_before_a_damaged_page_are_kept(tmp_path: Path) -> None:
    """Row groups before a damaged page are written."""
    data = bytearray(parquet_bytes(tmp_path, compression="zstd", use_dictionary=False))
    offset = pq.ParquetFile(tmp_path / "whole").metadata.row_group(4).column(0).data_page_offset
    data[offset + 60 : offset + 160] = b"\xff" * 100
    out, aside = damaged(tmp_path, bytes(data))

    assert (out, aside) == (2000, 0)


@pytest.mark.parametrize("write", [write_parquet, write_file, write_stream])
def test_a_text_that_is_no_utf_8_is_never_written(tmp_path: Path, write: Callable[[Path, Any], None]) -> None:
    """Bytes that are no text, in a column that says so, are never written as text."""
    texts = [row["text"] for row in talks(6)]
    data = b"".join(text.encode() for text in texts)
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    broken = data[:-1] + b"\xff"
    buffers = [None, pa.py_buffer(pa.array(offsets, pa.int32()).buffers()[1]), pa.py_buffer(broken)]
    write(tmp_path / "made", pa.table({"text": pa.Array.from_buffers(pa.string(), 6, buffers)}))
    summary, failed = run(tmp_path / "made", tmp_path / "out.jsonl", to="messages")

    assert (summary.rows_out, summary.rows_set_aside, failed) == (5, 1, "")
    assert "\\xff" not in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("write", [write_file, write_stream, write_feather])
def test_a_cut_arrow_file_is_told(tmp_path: Path, write: Callable[[Path, Any], None]) -> None:
    """A file of Arrow that was cut off inside a batch is told; no row is made up."""
    write(tmp_path / "made", pa.Table.from_pylist(talks(40)))
    data = (tmp_path / "made").read_bytes()
    for cut in (0.3, 0.5, 0.61):
        out, aside = damaged(tmp_path, data[: int(len(data) * cut)])
        assert (out < 40, aside) == (True, 0)


@settings(max_examples=30)
@given(write=st.sampled_from(WRITERS), data=st.data())
@example(write=write_stream, data=None)
def test_a_table_with_a_flipped_byte(folder: Path, write: Callable[[Path, Any], None], data: Any) -> None:
    """Whatever is wrong with a file of Parquet or Arrow, rows are written or our own error is raised."""
    write(folder / "in", pa.table({"text": [row["text"] for row in talks(6)], "x": [[1, None]] * 6}))
    held = bytearray((folder / "in").read_bytes())
    if data is not None:
        held[data.draw(st.integers(0, len(held) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "in").write_bytes(held)
    try:
        summary, _ = run(folder / "in", folder / "out.jsonl", to="messages", keep_columns=True)
    except SourceError:
        return
    adds_up(summary)


@pytest.mark.parametrize("names", [["chosen", "rejected", "chosen"], ["text", "x", "x"]])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_table_with_a_name_twice_is_our_own_error(tmp_path: Path, names: list[str], ending: str) -> None:
    """A table in which two columns have one name is refused, as `convert_table` refuses it, not read by halves."""
    write_file(tmp_path / "in", pa.Table.from_arrays([pa.array([TALK + "."])] * 3, names=names))
    with pytest.raises(TurnparseError):
        convert(tmp_path / "in", tmp_path / f"out.{ending}", to="messages", keep_columns=True)
