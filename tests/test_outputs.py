"""What `convert` writes: the same rows in every format, and the columns that travel along, unchanged or set aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import kept_rows
from written import (
    FORMATS,
    TALK,
    adds_up,
    as_lines,
    convert,
    files_in,
    pairs,
    read_back,
    run,
    set_aside,
    talks,
    unzipped,
)

TABLES = ["parquet", "arrow"]
COLUMNS = {"trl": ["prompt", "chosen", "rejected"], "trl-implicit": ["chosen", "rejected"], "messages": ["messages"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property may write to."""
    return tmp_path_factory.mktemp("outputs")


# The same rows in every format.


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("to", list(COLUMNS))
@pytest.mark.parametrize("options", [{}, {"provenance": True}, {"keep_columns": True, "provenance": True}])
def test_every_format_holds_the_same_rows(tmp_path: Path, ending: str, to: str, options: dict[str, Any]) -> None:
    """Rows, regular or not, and rows set aside are the same in all formats."""
    rows: list[Any] = [row | {"id": number, "words": ["é", str(number)]} for number, row in enumerate(pairs(50))]
    for side in ("chosen", "rejected"):
        rows[7][side] = "Be brief." + rows[7][side]
    rows[20:20] = [b"{", b"", {"chosen": "no turns", "rejected": "x", "id": 0, "words": []}]
    (tmp_path / "in").write_bytes(as_lines(rows))
    expected = convert(tmp_path / "in", tmp_path / "expected.jsonl", to=to, **options)
    summary = convert(tmp_path / "in", tmp_path / f"out.{ending}", to=to, **options)

    written = read_back(tmp_path / f"out.{ending}")
    assert len(written) == 50
    assert written == read_back(tmp_path / "expected.jsonl")
    assert set_aside(tmp_path / f"out.{ending}") == set_aside(tmp_path / "expected.jsonl")
    assert summary == expected


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst"])
def test_zipped_lines_are_the_plain_lines(tmp_path: Path, ending: str) -> None:
    """A zipped output holds the very bytes of the plain one; so does a zipped file for rows set aside."""
    (tmp_path / "in").write_bytes(as_lines([*pairs(2000), b"{"]))
    convert(tmp_path / "in", tmp_path / "out.jsonl")
    convert(tmp_path / "in", tmp_path / f"out.{ending}", set_aside=tmp_path / f"aside.{ending}")

    assert unzipped(tmp_path / f"out.{ending}") == (tmp_path / "out.jsonl").read_bytes()
    assert unzipped(tmp_path / f"aside.{ending}") == (tmp_path / "out.jsonl.set-aside.jsonl").read_bytes()


@pytest.mark.parametrize("rows", [[], [b"{"], [b"", b""]])
@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("to", list(COLUMNS))
def test_an_output_without_rows_is_a_valid_file(tmp_path: Path, rows: list[bytes], ending: str, to: str) -> None:
    """Where no row is written there is a file all the same, with the target's columns."""
    (tmp_path / "in").write_bytes(as_lines(rows))
    convert(tmp_path / "in", tmp_path / f"out.{ending}", to=to)

    assert read_back(tmp_path / f"out.{ending}") == []
    if ending == "parquet":
        assert pq.read_schema(tmp_path / "out.parquet").names == COLUMNS[to]
    if ending == "arrow":
        with pa.ipc.open_file(tmp_path / "out.arrow") as reader:
            assert reader.schema.names == COLUMNS[to]


@pytest.mark.parametrize("odd", [0, 100, 9])
def test_row_groups(tmp_path: Path, odd: int) -> None:
    """Row groups of Parquet and batches of Arrow hold some 20,000 rows, even where odd rows cut a batch to pieces."""
    rows = pairs(50_000)
    for number in range(0, len(rows), odd or len(rows)):
        rows[number] = {side: f"Be brief.{text}" for side, text in rows[number].items()}
    (tmp_path / "in").write_bytes(as_lines(rows))
    for ending in TABLES:
        convert(tmp_path / "in", tmp_path / f"out.{ending}")

    contents = pq.ParquetFile(tmp_path / "out.parquet").metadata
    groups = [contents.row_group(number) for number in range(contents.num_row_groups)]
    with pa.ipc.open_file(tmp_path / "out.arrow") as reader:
        batches = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
    for sizes in ([group.num_rows for group in groups], batches):
        assert sum(sizes) == 50_000
        assert all(20_000 <= size < 40_000 for size in sizes[:-1])
    columns = [groups[0].column(number) for number in range(groups[0].num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert {column.path_in_schema for column in columns if column.has_dictionary_page} == {
        f"{name}.list.element.role" for name in COLUMNS["trl"]
    }


# What travels along from JSON into tables.


def with_nulls(value: Any, kind: Any) -> Any:
    """Return a JSON value as a column of type *kind* holds it: missing keys are null, and an empty object too has keys."""
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return {field.name: with_nulls(value.get(field.name), field.type) for field in kind}
    if isinstance(value, list) and pa.types.is_list(kind):
        return [with_nulls(item, kind.value_type) for item in value]
    return value


def same(found: Any, expected: Any) -> bool:
    """Tell whether two values are equal, and booleans are no numbers."""
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def schema_of(path: Path) -> Any:
    """Return the columns of an output in a table."""
    if path.suffix == ".parquet":
        return pq.read_schema(path)
    with pa.ipc.open_file(path) as reader:
        return reader.schema


def as_json(text: Any) -> Any:
    """Return the value that a JSON text is, or None."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def travels(folder: Path, extras: list[dict[str, Any]], ending: str) -> list[int]:
    """Assert that each row is written with its extra columns unchanged or set aside; return the places of the latter."""
    rows: list[dict[str, Any]] = [row | extra for row, extra in zip(pairs(len(extras)), extras, strict=True)]
    (folder / "in").write_bytes(as_lines(rows))
    output = folder / f"out.{ending}"
    output.with_name(output.name + ".set-aside.jsonl").unlink(missing_ok=True)
    summary, failed = run(folder / "in", output, keep_columns=True)
    adds_up(summary)
    aside = set_aside(output)
    gone = [row["row"] for row in aside]
    written, schema = read_back(output), schema_of(output)
    assert failed == ""
    assert all(row["codes"] == ["column-mismatch"] and row["message"] for row in aside)
    assert [json.loads(row["raw"]) for row in aside] == [rows[number] for number in gone]
    assert len(written) + len(aside) == len(rows)
    for number, found in zip([n for n in range(len(rows)) if n not in gone], written, strict=True):
        assert found["chosen"] == [{"role": "assistant", "content": f"Yes, {number}."}]
        for name, value in extras[number].items():
            if any("{}" in json.dumps(extra.get(name)) for extra in extras) and same(as_json(found.get(name)), value):
                # What no table can hold travels as JSON text.
                continue
            expected = with_nulls(value, schema.field(name).type) if name in schema.names else value
            assert same(found.get(name), expected)
        assert all(value is None for name, value in found.items() if name not in {*COLUMNS["trl"], *extras[number]})
    return gone


@settings(max_examples=80)
@given(extras=kept_rows(), ending=st.sampled_from(TABLES))
def test_what_travels_along_is_never_changed(folder: Path, extras: list[dict[str, Any]], ending: str) -> None:
    """A value that a row keeps is written as it was, missing keys being null, or its row is set aside with a reason."""
    travels(folder, extras, ending)


@pytest.mark.parametrize("ending", TABLES)
@pytest.mark.parametrize(
    ("values", "gone"),
    [
        ([1, 2.5, 3], []),
        ([2.5, 2**53 + 1, 1], [1]),
        ([1, 2**64, 2], [1]),
        ([1, True, None], [1]),
        ([None, None, 5], []),
        ([[], [1], [2.5]], []),
        ([[None], ["a"], ["b", None]], []),
        ([{"a": 1}, {"b": "x"}, {}], []),
        ([{"a": [1]}, {"a": None}, {"a": ["x"]}], [2]),
        (["2024-02-29", "2024-02-29T00:00:00Z", "x"], []),
        (["1", 1, None], [1]),
        ([{"list.element": 1}, {"": 2}, None], []),
    ],
)
def test_types_are_those_of_the_first_rows(tmp_path: Path, ending: str, values: list[Any], gone: list[int]) -> None:
    """A column has the type of its first values; what does not fit it is set aside, and nothing else."""
    assert travels(tmp_path, [{"x": value} for value in values], ending) == gone


@pytest.mark.parametrize("ending", TABLES)
@pytest.mark.parametrize("value", [{}, {"a": {}}, [{}], [None, {}], [[{}]], {"a": [{}]}])
def test_objects_without_keys(tmp_path: Path, ending: str, value: Any) -> None:
    """An empty object, wherever it stands, costs neither the run nor its neighbours."""
    (tmp_path / "in").write_bytes(as_lines([row | {"x": value} for row in pairs(2)] + pairs(1)))
    summary, failed = run(tmp_path / "in", tmp_path / f"out.{ending}", keep_columns=True)

    assert (summary.rows_in, failed) == (3, "")
    assert summary.rows_out >= 1
    read_back(tmp_path / f"out.{ending}")


@pytest.mark.parametrize("ending", TABLES)
def test_an_object_does_not_become_a_text(tmp_path: Path, ending: str) -> None:
    """An empty object in a column of texts is of another type than these, and sets its row aside."""
    assert travels(tmp_path, [{"x": "a"}, {"x": {}}, {"x": "{}"}], ending) == [1]


@pytest.mark.parametrize("ending", TABLES)
@pytest.mark.parametrize("levels", [20, 40, 70, 130, 600, 900])
@pytest.mark.parametrize("first", [False, True])
def test_a_deep_column_costs_no_neighbour(tmp_path: Path, ending: str, levels: int, *, first: bool) -> None:
    """A row with a column nested too deep for a table is set aside; the others make a file that can be read."""
    deep = json.dumps(pairs(1)[0])[:-1].encode() + b',"x":' + b"[" * levels + b"]" * levels + b"}"
    rows: list[Any] = pairs(3, 1)
    rows.insert(0 if first else 3, deep)
    (tmp_path / "in").write_bytes(as_lines(rows))
    summary, failed = run(tmp_path / "in", tmp_path / f"out.{ending}", keep_columns=True)

    assert (summary.rows_in, failed) == (4, "")
    assert len(read_back(tmp_path / f"out.{ending}")) == summary.rows_out >= 3


@pytest.mark.parametrize("ending", TABLES)
def test_a_later_row_that_does_not_fit_is_set_aside(tmp_path: Path, ending: str) -> None:
    """Of a file of many chunks the first decides; a later column, or type, that is new sets its row aside, whole."""
    rows: list[dict[str, Any]] = [row | {"id": number} for number, row in enumerate(pairs(2_000))]
    rows[1_500]["id"] = "x"
    rows[1_600]["more"] = 1
    rows[1_700]["id"] = None
    (tmp_path / "in").write_bytes(as_lines(rows))
    with mock.patch("turnparse._chunks.CHUNK", 1000):
        convert(tmp_path / "in", tmp_path / f"out.{ending}", keep_columns=True, workers=2)

    aside = set_aside(tmp_path / f"out.{ending}")
    assert [(row["line"], row["codes"]) for row in aside] == [(n, ["column-mismatch"]) for n in (1_501, 1_601)]
    assert [json.loads(row["raw"]) for row in aside] == [rows[1_500], rows[1_600]]
    ids = [number for number in range(2_000) if number not in {1_500, 1_600}]
    assert [row["id"] for row in read_back(tmp_path / f"out.{ending}")] == [None if n == 1_700 else n for n in ids]


ATTEMPT = {"transcript": f"{TALK}.", "rating": 3, "tags": ["a"], "is_upworker": True, "red_team_member_id": 2**63 - 1}


@pytest.mark.parametrize("ending", TABLES)
@pytest.mark.parametrize("keep_columns", [False, True])
@pytest.mark.parametrize("first", ["attempt", "pair"])
def test_attempts_and_pairs_in_one_table(tmp_path: Path, ending: str, first: str, *, keep_columns: bool) -> None:
    """Attempts keep their metadata beside pairs, which have none, whichever comes first."""
    rows = [ATTEMPT, *pairs(1)] if first == "attempt" else [*pairs(1), ATTEMPT]
    (tmp_path / "in").write_bytes(as_lines(rows))
    convert(tmp_path / "in", tmp_path / f"out.{ending}", to="messages", keep_columns=keep_columns)

    written = read_back(tmp_path / f"out.{ending}")
    assert len(written) == 2
    assert {name: value for name, value in written[rows.index(ATTEMPT)].items() if value is not None} == {
        "messages": written[0]["messages"],
        **{name: ATTEMPT[name] for name in ATTEMPT if name != "transcript"},
    } | {"messages": written[rows.index(ATTEMPT)]["messages"]}


@pytest.mark.parametrize("ending", TABLES)
def test_attempts_after_chunks_of_pairs_are_never_stripped(tmp_path: Path, ending: str) -> None:
    """An attempt that comes when the table has no place for metadata is set aside, not written without it."""
    (tmp_path / "in").write_bytes(as_lines([*pairs(50), ATTEMPT, *pairs(2)]))
    with mock.patch("turnparse._chunks.CHUNK", 1000):
        convert(tmp_path / "in", tmp_path / f"out.{ending}", to="messages")

    (aside,) = set_aside(tmp_path / f"out.{ending}")
    assert (aside["line"], aside["codes"], json.loads(aside["raw"])) == (51, ["column-mismatch"], ATTEMPT)


@pytest.mark.parametrize("ending", TABLES)
def test_metadata_of_pairs_travels_along_after_attempts(tmp_path: Path, ending: str) -> None:
    """A pair that keeps a column of the name of a metadata field has it there, or is set aside where it does not fit."""
    rows = [ATTEMPT, pairs(1)[0] | {"rating": 1.5}, pairs(1)[0] | {"rating": "good"}, pairs(1)[0] | {"tags": [None]}]
    (tmp_path / "in").write_bytes(as_lines(rows))
    convert(tmp_path / "in", tmp_path / f"out.{ending}", to="messages", keep_columns=True)

    written, aside = read_back(tmp_path / f"out.{ending}"), set_aside(tmp_path / f"out.{ending}")
    assert [row["rating"] for row in written][:2] == [3.0, 1.5]
    assert [json.loads(row["raw"]) for row in aside][:1] == [rows[2]]
    assert len(written) + len(aside) == 4


def test_rows_of_a_table_with_other_columns_are_told(tmp_path: Path) -> None:
    """A row of a table that the output cannot hold is set aside with its reason; the sources beside it are written."""
    (tmp_path / "a.jsonl").write_bytes(as_lines([row | {"id": 1} for row in talks(2)]))
    pq.write_table(pa.table({"text": [TALK + "."], "id": ["x"]}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_bytes(as_lines([row | {"id": 2} for row in talks(2)]))
    summary, failed = run(tmp_path, tmp_path / "out.parquet", to="messages", keep_columns=True)

    assert failed == ""
    assert [row["id"] for row in read_back(tmp_path / "out.parquet")] == [1, 1, 2, 2]
    assert (summary.rows_in, summary.rows_set_aside) == (5, 1)
    (aside,) = set_aside(tmp_path / "out.parquet")
    assert (aside["codes"], aside["source"][-9:], "id" in aside["message"]) == (["column-mismatch"], "b.parquet", True)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.int32(), pa.float32()], ids=str
)
def test_lines_after_a_table_fit_its_columns(tmp_path: Path, kind: Any) -> None:
    """A value of JSON that a table's column holds without loss fits it, as the same value of another table does."""
    texts = pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    values = ["a", "b"] if texts else [1, 2]
    table = pa.table({"text": [TALK + "."], "id": pa.array(values[:1])})
    pq.write_table(table.set_column(1, "id", table["id"].cast(kind)), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_bytes(as_lines([row | {"id": values[1]} for row in talks(1)]))
    run(tmp_path, tmp_path / "out.parquet", to="messages", keep_columns=True)

    assert [row["id"] for row in read_back(tmp_path / "out.parquet")] == values


@pytest.mark.parametrize("ending", FORMATS)
def test_provenance_gives_way_to_nothing(tmp_path: Path, ending: str) -> None:
    """Where a row comes from is written over columns of these names, and that is counted."""
    (tmp_path / "in").write_bytes(as_lines([row | {"source": "web", "line": "x"} for row in talks(3)]))
    output = tmp_path / f"out.{ending}"
    summary = convert(tmp_path / "in", output, to="messages", keep_columns=True, provenance=True)

    assert [(row["source"], row["line"]) for row in read_back(output)] == [(str(tmp_path / "in"), n) for n in (1, 2, 3)]
    assert summary.diagnostics == {"column-clash": 3}


@pytest.mark.parametrize("ending", FORMATS)
def test_a_failed_run_leaves_the_earlier_output(tmp_path: Path, ending: str) -> None:
    """An output of an earlier run stays as it was until the new one is whole."""
    (tmp_path / "in").write_bytes(as_lines(talks(3)))
    (tmp_path / f"out.{ending}").write_bytes(b"earlier")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "in", tmp_path / f"out.{ending}", to="messages", on_bytes=interrupt)
    assert files_in(tmp_path) == {"in": as_lines(talks(3)), f"out.{ending}": b"earlier"}


def test_tables_of_other_types_share_an_output_row_by_row(tmp_path: Path) -> None:
    """Where a column that travels along has another type in a later source, each row is written if it fits, or set aside."""
    columns = [([1], pa.int64()), (["x"], pa.string()), ([2.5], pa.float64()), ([3], pa.int8())]
    for number, (values, kind) in enumerate(columns):
        table = pa.table({"text": [talks(1, number)[0]["text"]], "x": pa.array(values, kind)})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    output = tmp_path / "out" / "all.parquet"
    output.parent.mkdir()
    summary, failed = run(tmp_path / "*.parquet", output, to="messages", keep_columns=True)

    assert failed == ""
    assert (summary.rows_in, summary.rows_out, summary.rows_set_aside) == (4, 2, 2)
    assert [row["x"] for row in read_back(output)] == [1, 3]
    assert [(row["codes"], json.loads(row["raw"])["x"]) for row in set_aside(output)] == [
        (["column-mismatch"], "x"),
        (["column-mismatch"], 2.5),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    "values",
    [
        pa.array([{}], pa.struct([])),
        pa.array([[{}]], pa.list_(pa.struct([]))),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([5])]),
        pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["x"], pa.string_view())),
        pa.array([1], pa.timestamp("s", "Nowhere/City")),
    ],
    ids=lambda values: str(values.type),
)
def test_a_column_that_parquet_or_python_lacks_travels_along(tmp_path: Path, values: Any, ending: str) -> None:
    """What Parquet has no type for is JSON text there, and what Python has none for is text in JSON; no row is lost."""
    table = pa.table({"text": [talks(1)[0]["text"]], "x": values})
    with pa.ipc.new_file(tmp_path / "in", table.schema) as writer:
        writer.write_table(table)
    output = tmp_path / f"out.{ending}"
    summary, failed = run(tmp_path / "in", output, to="messages", keep_columns=True)

    assert (summary.rows_out, failed) == (1, "")
    if ending == "jsonl":
        assert "x" in read_back(output)[0]
    else:
        assert "x" in schema_of(output).names
