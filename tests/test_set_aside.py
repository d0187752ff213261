"""Mend and run again: rows set aside are given back as a source, and keep the place where they were first read."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnparse
from strategies import JSON_VALUES
from turnparse import RowError
from turnparse._chunks import RawRow
from turnparse._rows import Columns
from turnparse._set_aside import KEYS, as_first_read
from written import adds_up, convert, read_back, set_aside, write_rows, write_table

GOOD = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi\n\nAssistant: No."}
EMPTY = {"chosen": "\n\nHuman: Hi\n\nAssistant:", "rejected": "\n\nHuman: Hi\n\nAssistant: No."}
GOOD_LINE, EMPTY_LINE = (json.dumps(row).encode() for row in (GOOD, EMPTY))
NOT_UTF8 = b'{"chosen": "\xff"}'

LINES = [GOOD_LINE, EMPTY_LINE, b"", b'{"chosen": "cut', NOT_UTF8, GOOD_LINE, b"[1]", b'{"other": 1}', EMPTY_LINE]
"""A file with rows to set aside, in lines 2, 4, 5, 7, 8 and 9."""

ENTRY = {"source": "a.jsonl", "line": 7, "row": 5, "codes": ["bad-json"], "message": "", "raw": GOOD_LINE.decode()}


def mended(path: Path, raw: str = GOOD_LINE.decode()) -> Path:
    """Write beside a set-aside file another one, with *raw* as the text of every row; return its path."""
    rows = read_back(path)
    assert rows
    other = path.with_name("mended.jsonl")
    other.write_text("".join(json.dumps(row | {"raw": raw}) + "\n" for row in rows), encoding="utf-8")
    return other


def first_run(folder: Path, name: str = "rows.jsonl", **options: Any) -> Path:
    """Convert `LINES`, which stand in a file of that name; return the set-aside file."""
    data = b"\n".join(LINES) + b"\n"
    if name.startswith("array"):
        lines = [line for line in LINES if line]
        data = b"[\n" + b",\n".join(line if line != LINES[3] else b"{1}" for line in lines) + b"\n]\n"
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    summary = convert(folder / name, folder / "out.jsonl", **options)
    adds_up(summary)
    assert summary.rows_set_aside == 6
    return folder / "out.jsonl.set-aside.jsonl"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "array.json"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_both_runs_together_have_every_row(tmp_path: Path, name: str, ending: str) -> None:
    """What the first run wrote and what the second writes of the mended file is all there is, each row in its place."""
    aside = first_run(tmp_path, name, provenance=True)
    summary = convert(mended(aside), tmp_path / f"more.{ending}", provenance=True)

    adds_up(summary)
    assert (summary.rows_in, summary.rows_set_aside) == (6, 0)
    rows = read_back(tmp_path / "out.jsonl") + read_back(tmp_path / f"more.{ending}")
    lines = [number for number, line in enumerate(LINES, 1) if line] if name != "array.json" else list(range(2, 10))
    assert sorted((row["source"], row["line"]) for row in rows) == [(str(tmp_path / name), line) for line in lines]
    assert {json.dumps(row | {"source": "", "line": 0}) for row in rows} == {
        json.dumps(read_back(tmp_path / "out.jsonl")[0] | {"source": "", "line": 0})
    }


def test_what_is_not_mended_is_set_aside_again_as_it_was(tmp_path: Path) -> None:
    """A set-aside file given back as it is comes out as it is, byte by byte, whatever it is called."""
    aside = first_run(tmp_path)
    for name in ("again.jsonl", "again.set-aside.jsonl", "again.txt"):
        (tmp_path / name).write_bytes(aside.read_bytes())
        summary = convert(tmp_path / name, tmp_path / "second.jsonl")

        adds_up(summary)
        assert summary.rows_out == 0
        assert (tmp_path / "second.jsonl.set-aside.jsonl").read_bytes() == aside.read_bytes()


def test_bytes_that_are_no_utf8_are_kept_until_the_text_is_mended(tmp_path: Path) -> None:
    """The bytes of a row count as long as its text is as it was made of them."""
    aside = first_run(tmp_path)
    (row,) = [row for row in read_back(aside) if "raw_base64" in row]
    for entry, data in (
        (row, NOT_UTF8),
        (row | {"raw": GOOD_LINE.decode()}, GOOD_LINE),
        (row | {"raw_base64": "no base64!"}, row["raw"].encode()),
        (row | {"raw_base64": base64.b64encode(b"others").decode()}, row["raw"].encode()),
    ):
        found = as_first_read(RawRow(json.dumps(entry).encode(), 1, 0), Columns())
        assert (found.data, found.line) == (data, row["line"])


def test_rows_of_tables_are_given_back_as_json(tmp_path: Path) -> None:
    """A row of Parquet is set aside as JSON, and mended so; it has no line, and keeps its source and number."""
    table = pa.Table.from_pylist([GOOD | {"id": 1}, EMPTY | {"id": 2}, EMPTY | {"id": 3}])
    pq.write_table(table, tmp_path / "rows.parquet")
    convert(tmp_path / "rows.parquet", tmp_path / "out.jsonl")
    aside = tmp_path / "out.jsonl.set-aside.jsonl"
    options: dict[str, Any] = {"provenance": True, "keep_columns": True}
    rows = read_back(aside)
    rows[1]["raw"] = rows[1]["raw"].replace("Assistant:", "Assistant: Hm", 1)
    (tmp_path / "mended.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for ending in ("jsonl", "arrow"):
        summary = convert(tmp_path / "mended.jsonl", tmp_path / f"more.{ending}", **options)
        (written,) = read_back(tmp_path / f"more.{ending}")

        assert (summary.rows_out, summary.rows_set_aside) == (1, 1)
        assert (written["id"], written["source"], written["line"]) == (3, str(tmp_path / "rows.parquet"), None)
        (left,) = set_aside(tmp_path / f"more.{ending}")
        assert (left["source"], left["line"], left["row"]) == (str(tmp_path / "rows.parquet"), None, 1)


def test_tables_in_memory_are_given_back(tmp_path: Path) -> None:
    """What `convert_table` sets aside, written down as JSON lines, is read back: from no source that is known."""
    result = turnparse.convert_table(pa.Table.from_pylist([EMPTY, GOOD, EMPTY]))
    rows = [row | {"raw": GOOD_LINE.decode()} for row in result.set_aside.to_pylist()]
    (tmp_path / "aside.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    convert(tmp_path / "aside.jsonl", tmp_path / "more.parquet", provenance=True)
    found = [(row["source"], row["line"]) for row in read_back(tmp_path / "more.parquet")]
    read = [item.origin for item in turnparse.read(tmp_path / "aside.jsonl")]

    assert found == [(None, None), (None, None)]
    assert [(origin.source, origin.line, origin.row) for origin in read if origin] == [("", None, 0), ("", None, 2)]


def test_numbers_of_rows_are_those_of_the_first_run(tmp_path: Path) -> None:
    """Where a target writes a row's number, a mended row has the number that it would have had."""
    aside = first_run(tmp_path, to="verl-rl")
    convert(mended(aside), tmp_path / "more.jsonl", to="verl-rl")
    rows = read_back(tmp_path / "out.jsonl") + read_back(tmp_path / "more.jsonl")

    assert sorted(row["extra_info"]["index"] for row in rows) == [at for at, line in enumerate(LINES) if line]


def test_reading_row_by_row_agrees(tmp_path: Path) -> None:
    """`turnparse.read` gives mended rows with their first place, and errors with it too."""
    aside = first_run(tmp_path)
    source, lines = str(tmp_path / "rows.jsonl"), [row["line"] for row in read_back(aside)]
    assert [(item.source, item.line) for item in turnparse.read(mended(aside))] == [(source, line) for line in lines]

    errors: list[RowError] = []
    items = list(turnparse.read(aside, on_error=errors.append))
    assert [error.line for error in errors] + [item.line for item in items] == [4, 5, 7, 8, 2, 9]
    assert {error.source for error in errors} == {source}


def test_mended_rows_may_stand_among_others(tmp_path: Path) -> None:
    """Each row is looked at by itself: entries and other rows in one file are each what they are."""
    lines = [GOOD_LINE, json.dumps(ENTRY).encode(), GOOD_LINE]
    (tmp_path / "both.jsonl").write_bytes(b"\n".join(lines))
    convert(tmp_path / "both.jsonl", tmp_path / "out.jsonl", provenance=True)
    found = [(Path(row["source"]).name, row["line"]) for row in read_back(tmp_path / "out.jsonl")]

    assert found == [("both.jsonl", 1), ("a.jsonl", 7), ("both.jsonl", 3)]


def test_an_array_of_entries_is_read_too(tmp_path: Path) -> None:
    """Whoever mends with a tool that writes one array need not make lines of it again."""
    (tmp_path / "all.json").write_text(json.dumps([ENTRY, ENTRY | {"line": 9}], indent=1), encoding="utf-8")
    convert(tmp_path / "all.json", tmp_path / "out.jsonl", provenance=True)

    assert [row["line"] for row in read_back(tmp_path / "out.jsonl")] == [7, 9]


@pytest.mark.parametrize(
    "change",
    [
        {"raw": None},
        {"raw": 1},
        {"line": "7"},
        {"line": -1},
        {"line": 7.5},
        {"line": True},
        {"line": 2**63},
        {"row": None},
        {"codes": "bad-json"},
        {"codes": [1]},
        {"message": None},
        {"source": 1},
        {"offset": "x"},
        {"raw_base64": 1},
        *[{key: ...} for key in sorted(KEYS)],
    ],
)
def test_what_is_not_quite_an_entry_is_a_row(tmp_path: Path, change: dict[str, Any]) -> None:
    """A row with other keys, fewer, or other types is no entry: it is set aside as it stands, where it stands."""
    entry = {key: value for key, value in (ENTRY | change).items() if value is not ...}
    (tmp_path / "a.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    summary = convert(tmp_path / "a.jsonl", tmp_path / "out.jsonl")
    (row,) = set_aside(tmp_path / "out.jsonl")

    assert summary.diagnostics == {"no-known-column": 1}
    assert (row["line"], row["raw"]) == (1, json.dumps(entry))


def as_arrow(rows: list[dict[str, Any]]) -> pa.Table:
    """Return *rows* as Arrow reads them from a file of lines: each has all columns."""
    return pa.Table.from_pylist(rows, pa.unify_schemas([pa.Table.from_pylist([row]).schema for row in rows]))


def as_pandas(rows: list[dict[str, Any]]) -> pa.Table:
    """Return *rows* as pandas writes them: numbers among nulls as floats, large strings, and its index as one more column."""
    table = as_arrow(rows)
    for index, field in enumerate(table.schema):
        if field.type == pa.int64() and table.column(index).null_count:
            table = table.set_column(index, field.name, table.column(index).cast(pa.float64()))
        if field.type == pa.string():
            table = table.set_column(index, field.name, table.column(index).cast(pa.large_string()))
    return table.append_column("__index_level_0__", pa.array(range(len(table))))


def as_words(rows: list[dict[str, Any]]) -> pa.Table:
    """Return *rows* with texts that repeat as categories."""
    table = as_arrow(rows)
    for name in ("source", "message"):
        index = table.schema.names.index(name)
        table = table.set_column(index, name, table.column(name).dictionary_encode())
    return table


@pytest.mark.parametrize("saved_by", [as_arrow, as_pandas, as_words])
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_set_aside_file_saved_as_a_table_is_one_still(
    tmp_path: Path, saved_by: Callable[[list[dict[str, Any]]], pa.Table], kind: str, ending: str
) -> None:
    """Whoever mends with a tool that writes tables gives back rows of the source and line that they had, mended or not."""
    aside = first_run(tmp_path)
    rows = read_back(aside)
    rows[1:] = [row | {"raw": GOOD_LINE.decode()} for row in rows[1:]]
    rows += [rows[0] | {"codes": ["bad-json"], "raw": "", "offset": 99}, rows[0] | {"source": None, "line": None}]
    write_rows(tmp_path / "lines.jsonl", rows)
    write_table(tmp_path / f"again.{kind}", saved_by(rows))
    found: list[list[Any]] = []
    for name in ("lines.jsonl", f"again.{kind}"):
        summary = convert(tmp_path / name, tmp_path / f"more.{ending}", provenance=True, keep_columns=True, workers=2)
        adds_up(summary)
        read: list[Any] = []
        items = [item.origin for item in turnparse.read(tmp_path / name, on_error=read.append)]
        errors = [(error.source, error.line, error.row, error.message) for error in read]
        found.append([read_back(tmp_path / f"more.{ending}"), set_aside(tmp_path / f"more.{ending}"), items, errors])

    assert found[0] == found[1]
    assert [row["line"] for row in found[1][0]] == [4, 5, 7, 8, 9]
    assert [row["line"] for row in found[1][1]] == [2, 2, None]


def test_a_table_that_was_set_aside_in_memory_is_given_back_as_one(tmp_path: Path) -> None:
    """What `convert_table` sets aside may be saved as it is."""
    result = turnparse.convert_table(pa.Table.from_pylist([EMPTY, GOOD, EMPTY]))
    pq.write_table(result.set_aside, tmp_path / "aside.parquet")
    summary = convert(tmp_path / "aside.parquet", tmp_path / "again.jsonl")

    assert (summary.rows_in, summary.diagnostics["empty-response"]) == (2, 2)
    assert set_aside(tmp_path / "again.jsonl") == result.set_aside.to_pylist()


def test_rows_of_a_table_that_are_no_entries_keep_their_numbers(tmp_path: Path) -> None:
    """A table may hold entries and what is not quite one: that is set aside as a row of the table, under its number."""
    odd = ENTRY | {"codes": None}
    pq.write_table(pa.Table.from_pylist([ENTRY, odd, ENTRY, odd]), tmp_path / "a.parquet", row_group_size=3)
    summary = convert(tmp_path / "a.parquet", tmp_path / "out.jsonl", provenance=True)

    assert (summary.rows_in, [row["line"] for row in read_back(tmp_path / "out.jsonl")]) == (4, [7, 7])
    assert [
        (row["source"], row["line"], row["row"], json.loads(row["raw"])) for row in set_aside(tmp_path / "out.jsonl")
    ] == [(str(tmp_path / "a.parquet"), None, number, odd) for number in (1, 3)]


@pytest.mark.parametrize(
    "more", [{"note": "mended by hand"}, {"id": 1, "tags": [{"a": None}]}, {"offset": None, "raw_base64": None}]
)
def test_an_entry_with_more_keys_is_one_still(tmp_path: Path, more: dict[str, Any]) -> None:
    """What a tool or a reader adds to an entry takes nothing from it: its row is what is in ``raw``."""
    entries = [ENTRY | more, ENTRY | more | {"raw": EMPTY_LINE.decode(), "line": 9.0}]
    write_rows(tmp_path / "a.jsonl", entries)
    summary = convert(tmp_path / "a.jsonl", tmp_path / "out.jsonl", provenance=True, keep_columns=True)
    (row,) = read_back(tmp_path / "out.jsonl")
    (left,) = set_aside(tmp_path / "out.jsonl")

    adds_up(summary)
    assert (row["source"], row["line"], more.keys() & row.keys()) == ("a.jsonl", 7, set())
    assert (left["source"], left["line"], left["raw"]) == ("a.jsonl", 9, EMPTY_LINE.decode())


def test_rows_that_look_like_entries_but_have_texts_are_rows(tmp_path: Path) -> None:
    """Who names a column of an entry as the one to read gets it read, as it stands."""
    row = ENTRY | {"raw": "\n\nHuman: Hi\n\nAssistant: Ho"}
    for name, line in (("a.jsonl", 1), ("a.parquet", None)):
        write_rows(tmp_path / name, [row])
        convert(tmp_path / name, tmp_path / "out.jsonl", to="messages", transcript="raw", provenance=True)

        assert [row["line"] for row in read_back(tmp_path / "out.jsonl")] == [line]


def test_an_entry_within_an_entry_is_a_row(tmp_path: Path) -> None:
    """Only the outermost is taken off: what is in it was a row, and is read as one."""
    (tmp_path / "a.jsonl").write_text(json.dumps(ENTRY | {"raw": json.dumps(ENTRY)}) + "\n", encoding="utf-8")
    convert(tmp_path / "a.jsonl", tmp_path / "out.jsonl")
    (row,) = set_aside(tmp_path / "out.jsonl")

    assert (row["codes"], row["line"], row["raw"]) == (["no-known-column"], 7, json.dumps(ENTRY))


NOTED = ENTRY | {"codes": ["bad-json"], "message": "expected more, found the end", "raw": ""}


@pytest.mark.parametrize("notes", [{"offset": 812}, {"size": 1 << 40}])
def test_what_was_never_whole_keeps_its_reason(tmp_path: Path, notes: dict[str, int]) -> None:
    """What was set aside because there is not all of it is so again, with its reason, unless it is mended."""
    lines = [NOTED | notes, NOTED | notes | {"raw": '{"cho'}, NOTED | notes | {"raw": GOOD_LINE.decode()}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    summary = convert(tmp_path / "a.jsonl", tmp_path / "out.jsonl")

    adds_up(summary)
    assert summary.rows_out == 1
    assert set_aside(tmp_path / "out.jsonl") == lines[:2]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*sorted(KEYS), "raw_base64", "offset", "size"]), JSON_VALUES),
    st.dictionaries(st.sampled_from([*sorted(KEYS), "id"]), JSON_VALUES, max_size=2),
)
def test_any_entry_is_accounted_for(tmp_path_factory: pytest.TempPathFactory, some: Any, changes: Any) -> None:
    """Whatever stands in the fields of an entry, nothing is raised, and no row is lost."""
    folder = tmp_path_factory.mktemp("entries")
    lines = [some, ENTRY | changes, ENTRY]
    (folder / "a.jsonl").write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    summary = convert(folder / "a.jsonl", folder / "out.parquet", provenance=True)

    adds_up(summary)
    assert summary.rows_in == 3
    assert len(set_aside(folder / "out.parquet")) == summary.rows_set_aside


def test_workers_agree(tmp_path: Path) -> None:
    """A set-aside file of several chunks is read alike however many workers there are."""
    entries = [
        ENTRY | {"line": n, "raw": (GOOD_LINE if n % 3 else b"{").decode(), "message": "x" * 900} for n in range(9999)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    found = []
    for workers in (1, 3):
        convert(tmp_path / "a.jsonl", tmp_path / "out.jsonl", provenance=True, workers=workers)
        found.append([read_back(tmp_path / "out.jsonl"), set_aside(tmp_path / "out.jsonl")])

    assert found[0] == found[1]
    assert [row["line"] for row in found[0][0]] == [n for n in range(9999) if n % 3]


def test_a_row_that_was_cut_is_not_read_from_what_is_left(tmp_path: Path) -> None:
    """A row that was too long to be kept is set aside again, though its beginning may be sound JSON; mended it is read."""
    row = json.dumps(GOOD).encode() + b" " * 70_000 + b"xx"
    (tmp_path / "in.jsonl").write_bytes(row + b"\n")
    convert(tmp_path / "in.jsonl", tmp_path / "a.jsonl", max_row_bytes=300)
    aside = tmp_path / "a.jsonl.set-aside.jsonl"
    again = convert(aside, tmp_path / "b.jsonl")

    assert (again.rows_out, again.rows_set_aside) == (0, 1)
    assert (tmp_path / "b.jsonl.set-aside.jsonl").read_bytes() == aside.read_bytes()
    entry = json.loads(aside.read_bytes())
    aside.write_text(json.dumps(entry | {"raw": json.dumps(GOOD)}) + "\n", encoding="utf-8")
    assert convert(aside, tmp_path / "c.jsonl").rows_out == 1


def test_a_limit_is_one_of_rows_and_not_of_what_is_told_of_them(tmp_path: Path) -> None:
    """An entry may be longer than a row may be: what counts is the row in it, which comes back as it was."""
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"chosen": 1, "rejected": "x" * 280}) + "\n" + json.dumps({"text": "x" * 999}) + "\n"
    )
    convert(tmp_path / "in.jsonl", tmp_path / "a.jsonl", max_row_bytes=320)
    aside = tmp_path / "a.jsonl.set-aside.jsonl"
    again = convert(aside, tmp_path / "b.jsonl", max_row_bytes=320)

    assert (again.rows_out, again.rows_set_aside) == (0, 2)
    assert (tmp_path / "b.jsonl.set-aside.jsonl").read_bytes() == aside.read_bytes()


def test_an_entry_that_tells_two_things_is_not_read(tmp_path: Path) -> None:
    """Of an entry with a key twice nobody knows which row is meant: it is set aside."""
    twice = json.dumps(ENTRY).removesuffix("}") + f', "raw": {json.dumps(EMPTY_LINE.decode())}}}'
    (tmp_path / "in.jsonl").write_text(twice + "\n", encoding="utf-8")

    assert convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl").rows_set_aside == 1
