"""The columns reader: it says of every row what the per-row calls say, however the column is cut and typed."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import turnparse
from plain_records import OPTIONS, one_by_one
from strategies import (
    DIALECTS,
    HH,
    LABELS,
    ODD_ROWS,
    PAIR_ROWS,
    TEXT,
    in_utf8,
    parted_pairs,
    regular_pairs,
    text_pairs,
    token_pairs,
)
from turnparse import Dialect, _buffers, _contents, _pair_columns
from turnparse._arrow_rows import Layout, Place, arrow_rows
from turnparse._batches import BatchConverter
from turnparse._buffers import BLOCK, STRETCH, Literals
from turnparse._codes import CODES, PRESETS
from turnparse._columns import Markers, read_column, read_pairs
from turnparse._contents import TextColumn
from turnparse._control_tokens import holds_control_token
from turnparse._job import Job
from turnparse._summary import Summary
from turnparse._target import targets

TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
]
TARGETS = sorted(targets())
PLAIN = ["messages", "trl", "trl-implicit"]
"""Targets that take nearly any row."""
SHAPES = [*PLAIN, "axolotl-chatml-ultra", "distilabel", "llama-factory-alpaca", "nemo-rl", "trl-unpaired-standard"]
"""Targets that between them hold one of everything that a target may hold."""


def typed(texts: list[str], kind: Any) -> Any:
    """Return *texts* as an array of type *kind*."""
    return pa.array(texts, pa.string()).cast(kind) if pa.types.is_dictionary(kind) else pa.array(texts, kind)


def cut(texts: list[str], kind: Any, places: list[int]) -> Any:
    """Return *texts* as a chunked array with cuts at *places*, each chunk a slice of a larger array."""
    padded = typed(["before", *texts, "after"], kind)
    edges = [0, *sorted(place % (len(texts) + 1) for place in places), len(texts)]
    return pa.chunked_array([padded.slice(1 + begin, end - begin) for begin, end in pairwise(edges)], type=padded.type)


def check_same(result: turnparse.TableResult, expected: tuple[list[Any], list[tuple[int, list[str]]], Summary]) -> None:
    """Assert that a table became what the per-row calls make of its rows."""
    records, aside, counts = expected
    assert result.rows.to_pylist() == records
    assert [(row["row"], row["codes"]) for row in result.set_aside.to_pylist()] == aside
    assert result.summary.as_dict() == counts.as_dict()
    result.rows.validate(full=True)
    assert len({tuple(len(chunk) for chunk in column.chunks) for column in result.rows.columns}) <= 1


@given(
    rows=PAIR_ROWS,
    kind=st.sampled_from(TYPES),
    places=st.lists(st.integers(0, 9), max_size=3),
    to=st.sampled_from(TARGETS),
    preset=st.sampled_from(PRESETS),
    side=st.sampled_from(["chosen", "rejected"]),
)
def test_pairs_by_columns_are_pairs_one_by_one(  # noqa: PLR0917  # hypothesis names them
    rows: list[tuple[str, str]], kind: Any, places: list[int], to: str, preset: str, side: str
) -> None:
    """Records, rows set aside and counts are those of the per-row calls, for every target, preset, cut and type."""
    table = pa.table(
        {
            name: cut(list(texts), kind, places[number:])
            for number, (name, texts) in enumerate(
                zip(("chosen", "rejected"), zip(*rows, strict=True) if rows else ([], []), strict=True)
            )
        }
    )
    dicts = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in rows]

    result = turnparse.convert_table(table, to=to, preset=preset, side=side)
    check_same(result, one_by_one(dicts, to=to, preset=preset, side=side))


POLICIES = st.sampled_from([{}] + [{code.name: value} for code in CODES.values() for value in code.choices])
"""No policy beside those of a preset, or one."""


FILE_OPTIONS = [
    {"preset": preset, "keep_columns": keep} for preset in ("faithful", "default") for keep in (True, False)
]


@pytest.fixture
def always_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a second look at the odd rows of a batch however few they are, and treat it as a large one."""
    monkeypatch.setattr(_pair_columns, "LEAST", 1)
    monkeypatch.setattr(_contents, "APART", 1)


@pytest.mark.usefixtures("always_again")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ODD_ROWS,
    types=st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)),
    options=st.fixed_dictionaries(
        {
            "to": st.sampled_from(TARGETS),
            "preset": st.sampled_from(["faithful", *PRESETS]),
            "side": st.sampled_from(["chosen", "rejected"]),
            "policies": POLICIES,
            "keep_columns": st.booleans(),
        }
    ),
)
def test_a_second_look_says_what_the_per_row_calls_say(
    rows: list[tuple[str, str]], types: tuple[Any, Any], options: dict[str, Any]
) -> None:
    """Odd rows become what the per-row calls make of them, for every policy, whether columns finish them or not."""
    dicts = [{"chosen": chosen, "rejected": rejected, "id": at} for at, (chosen, rejected) in enumerate(rows)]
    texts = list(zip(*rows, strict=True)) or [(), ()]
    columns = {
        name: typed(list(side), kind) for name, side, kind in zip(("chosen", "rejected"), texts, types, strict=True)
    }
    table = pa.table(columns | {"id": pa.array(range(len(rows)), pa.int64())})

    check_same(turnparse.convert_table(table, **options), one_by_one(dicts, **options))


@pytest.mark.usefixtures("always_again")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(token_pairs().filter(in_utf8), max_size=6),
    types=st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)),
    options=st.fixed_dictionaries(
        {
            "to": st.sampled_from(TARGETS),
            "preset": st.sampled_from(["faithful", *PRESETS]),
            "side": st.sampled_from(["chosen", "rejected"]),
            "policies": st.sampled_from([{"control-token": value} for value in CODES["control-token"].choices]),
        }
    ),
)
def test_control_tokens_by_columns_are_those_one_by_one(
    rows: list[tuple[str, str]], types: tuple[Any, Any], options: dict[str, Any]
) -> None:
    """Rows with control tokens become what the per-row calls make of them, whatever the policy; the others stay regular."""
    texts = list(zip(*rows, strict=True)) or [(), ()]
    names = ("chosen", "rejected")
    table = pa.table({name: typed(list(side), kind) for name, side, kind in zip(names, texts, types, strict=True)})
    result = turnparse.convert_table(table, **options)
    kept = turnparse.convert_table(table, **options | {"policies": {}})

    check_same(result, one_by_one([dict(zip(names, row, strict=True)) for row in rows], **options))
    held = sum(any(map(holds_control_token, row)) for row in rows)
    assert kept.regular - held <= result.regular <= kept.regular
    if options["policies"] == {"control-token": "keep"}:
        assert result.regular == kept.regular
    single = pa.table({"text": typed(list(texts[0]), types[0])})
    options = options | {"to": "messages"}
    check_same(turnparse.convert_table(single, **options), one_by_one([{"text": text} for text in texts[0]], **options))


@pytest.mark.usefixtures("always_again")
def test_a_row_of_a_second_look_that_does_not_fit_is_set_aside() -> None:
    """A row that was finished, but whose columns the output cannot hold, is not written, and costs no neighbour."""
    rows: list[dict[str, Any]] = [
        {"chosen": chosen, "rejected": rejected, "id": at} for at, (chosen, rejected) in enumerate(PARTED[:5])
    ]
    converter = BatchConverter(Job.of(**OPTIONS | {"preset": "faithful", "keep_columns": True}))
    batch = pa.RecordBatch.from_pylist([{name: row[name] for name in ("chosen", "rejected")} for row in rows])
    layout = Layout.of_rows(converter, converter.judge(batch, rows))
    rows[1]["id"] = rows[3]["id"] = "three"
    judged, pieces = arrow_rows(converter, converter.judge(batch, rows), layout, Place("", None))

    assert [one.index for one in judged.refused] == [1, 3]
    assert pa.Table.from_batches(pieces)["id"].to_pylist() == [0, 2, 4]
    assert int(judged.finished.sum()) == 3


@pytest.mark.usefixtures("always_again")
@pytest.mark.parametrize("ending", ["jsonl", "arrow"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ODD_ROWS, broken=st.integers(0, 1), options=st.sampled_from(FILE_OPTIONS))
def test_a_second_look_at_the_rows_of_a_file(
    tmp_path_factory: pytest.TempPathFactory,
    ending: str,
    rows: list[tuple[str, str]],
    broken: int,
    options: dict[str, Any],
) -> None:
    """The same is true of files, also where a line that is no row makes all of them be decoded one by one."""
    dicts = [{"chosen": chosen, "rejected": rejected, "id": at} for at, (chosen, rejected) in enumerate(rows)]
    records, aside, counts = one_by_one(dicts, **options)
    folder = tmp_path_factory.mktemp("rows")
    lines = [json.dumps(row) for row in dicts] + ["no row"] * broken
    (folder / "in.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    out = folder / f"out.{ending}"
    summary = turnparse.convert(folder / "in.jsonl", out, **options)

    assert summary.relations == counts.relations
    assert summary.diagnostics == counts.diagnostics + Counter({"bad-json": 1} if broken else {})
    assert summary.rows_set_aside == len(aside) + broken
    if ending == "jsonl":
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n")[:-1]]
    else:
        with pa.ipc.open_file(out) as reader:
            found = reader.read_all().to_pylist()
    assert found == records


@pytest.mark.usefixtures("always_again")
@given(pair=st.one_of(parted_pairs(), regular_pairs()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_second_look_finishes_what_no_policy_touches(pair: tuple[str, str]) -> None:
    """Under `faithful` every pair is finished that is turns from start to end on both sides, without a system turn."""
    table = pa.table({"chosen": [pair[0]], "rejected": [pair[1]]})
    sides = [turnparse.parse(text) for text in pair]

    if all(side.turns and not side.preamble for side in sides):
        assert turnparse.convert_table(table, preset="faithful").regular == 1


USER, BOT = "\n\nHuman:", "\n\nAssistant:"
PARTED = [
    (f"{USER} q{BOT} a{BOT} b", f"{USER} q{BOT} c"),  # uneven
    (f"{USER} q{BOT} c", f"{USER} q{BOT} a{USER} r{BOT} b"),
    (f"{USER} q{BOT} a", f"{USER} q{BOT} a{BOT} b"),  # extends
    (f"{USER} q{BOT} a{USER} r{BOT} b", f"{USER} q{BOT} a{USER} s{BOT} b"),  # earlier
    (f"{USER} q{BOT} a{USER} r{BOT} b", f"{USER} q{USER} a{USER} r{BOT} b"),  # by its speaker alone
    (f"{USER} q{BOT} a{USER} r", f"{USER} q{BOT} a{BOT} r"),
    (f"{USER} q{BOT} a", f"{USER}  q{BOT} a\n"),  # identical, but for white space
    (f"{USER} q{BOT} a", f"{USER} q{BOT}"),
    (f"{USER} q{USER} {BOT} a", f"{USER} q{USER} {BOT} b"),  # an empty turn
    (f"{BOT} a{USER} q{BOT} a", f"{BOT} a{USER} q{BOT} b"),
    (f"{USER} q", f"{USER} r"),  # no Assistant, nothing shared
    (f"{USER} q{BOT} a{USER}", f"{USER} q{BOT} a{USER} r"),
    (f"{USER} q{BOT} a{USER[:-1]}", f"{USER} q{BOT} b"),  # cut off
    (f"{USER} q{BOT} a", f"{USER} q{BOT}{BOT[:-1]} "),
    (f"{USER} q{BOT} a{BOT}{BOT[2:-1]}", f"{USER} q{BOT} b"),  # not cut off
    (f"Be brief.{USER} q{BOT} a{BOT} b", f"{USER} q{BOT} b"),
    ("", f"{USER} q{BOT} a"),
    ("", ""),
]


@pytest.mark.usefixtures("always_again")
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("to", SHAPES)
def test_pairs_that_part_in_every_way(preset: str, to: str) -> None:
    """Each kind of odd pair, among regular ones or without, is counted and written as the per-row calls do it."""
    rows = [dict(zip(("chosen", "rejected"), pair, strict=True)) for pair in PARTED]
    regular = {"chosen": LONGER, "rejected": f"{LONGER}b"}
    for some in (rows, rows[::-1] + [regular] * 99 + rows, *([regular, row] for row in rows)):
        result = turnparse.convert_table(pa.Table.from_pylist(some), to=to, preset=preset)
        check_same(result, one_by_one(some, to=to, preset=preset))
        if some is rows and preset == "faithful" and to in PLAIN:
            # Those with a preamble, or a side without a turn, are left to the per-row calls.
            assert result.regular == len(PARTED) - 3


@pytest.mark.parametrize(
    ("count", "regular"), [(_pair_columns.LEAST - 1, 0), (_pair_columns.LEAST, _pair_columns.LEAST)]
)
def test_few_odd_rows_are_not_worth_a_second_look(count: int, regular: int) -> None:
    """A second look is taken where there are enough odd rows, or long ones; what is said of them is the same."""
    rows = [{"chosen": LONGER, "rejected": f"{LONGER}\n\nAssistant: {at}"} for at in range(count)]
    result = turnparse.convert_table(pa.Table.from_pylist(rows), preset="faithful")

    assert result.regular == regular
    check_same(result, one_by_one(rows, preset="faithful"))
    rows = [{"chosen": LONGER, "rejected": f"{LONGER}\n\nAssistant: {'x' * _pair_columns.LEAST_BYTES}"}]
    assert turnparse.convert_table(pa.Table.from_pylist(rows), preset="faithful").regular == 1


@given(st.lists(TEXT.filter(lambda text: in_utf8((text,))) | regular_pairs().map(lambda pair: pair[0]), max_size=8))
def test_texts_by_columns_are_texts_one_by_one(texts: list[str]) -> None:
    """Single texts, and attempts with metadata, become what the per-row calls make of them."""
    for column, more in (("text", {}), ("transcript", {"rating": 1.5, "tags": ["a"], "is_upworker": True})):
        rows = [{column: text, **more} for text in texts]
        schema = pa.schema(
            [(column, pa.string()), *{"rating": pa.float64(), "tags": pa.list_(pa.string()), "is_upworker": pa.bool_()}.items()][
                : len(more) + 1
            ]
        )  # fmt: skip
        result = turnparse.convert_table(pa.Table.from_pylist(rows, schema=schema), to="messages")
        records, aside, counts = one_by_one(rows, to="messages")
        assert [record["messages"] for record in result.rows.to_pylist()] == [record["messages"] for record in records]
        assert [row.get("rating") for row in result.rows.to_pylist()] == [row.get("rating") for row in records]
        assert [(row["row"], row["codes"]) for row in result.set_aside.to_pylist()] == aside
        assert result.summary.as_dict() == counts.as_dict()


@pytest.mark.parametrize("name", ["user_bot", "hashes"])
@given(data=st.data())
def test_a_users_flat_grammar_is_read_by_columns(name: str, data: st.DataObject) -> None:
    """A user's own flat grammar is served by the columns reader, and read as the per-row calls read it."""
    dialect = Dialect.from_file(DIALECTS / f"{name}.lark")
    pairs = st.one_of(regular_pairs(dialect), regular_pairs(dialect), text_pairs(dialect).filter(in_utf8))
    rows = [dict(zip(("chosen", "rejected"), pair, strict=True)) for pair in data.draw(st.lists(pairs, max_size=6))]
    table = pa.Table.from_pylist(rows, schema=pa.schema([("chosen", pa.string()), ("rejected", pa.string())]))

    assert BatchConverter(Job.of(**OPTIONS | {"dialect": dialect})).by_columns
    check_same(turnparse.convert_table(table, dialect=dialect), one_by_one(rows, dialect=dialect))


@pytest.mark.parametrize("name", ["nested", "numbered", "chatml"])
def test_other_dialects_are_read_row_by_row_and_said_once(name: str) -> None:
    """A dialect that the columns reader cannot serve is read one by one, with one warning a call."""
    dialect = Dialect.from_file(DIALECTS / f"{name}.lark")
    rows = [{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "Q: x\nA: y"}] * 3
    with pytest.warns(RuntimeWarning, match="one by one") as warned:
        result = turnparse.convert_table(pa.Table.from_pylist(rows), dialect=dialect)

    assert len(warned) == 1
    assert result.regular == 0
    check_same(result, one_by_one(rows, dialect=dialect))


@given(st.one_of(regular_pairs(), text_pairs().filter(in_utf8)))
def test_every_row_without_a_code_is_regular(row: tuple[str, str]) -> None:
    """The columns reader finishes each row that has no code and whose sides are the same text up to their last turn."""
    columns = [TextColumn.of(pa.array([text], pa.string())) for text in row]
    (regular,) = read_pairs(columns[0], columns[1], Markers(HH.table)).finished.regular
    pair = turnparse.parse_pair(*row)

    expected = not pair.diagnostics
    if expected:
        last = pair.chosen_transcript.turns[-1]
        expected = row[1].startswith(row[0][: last.start + len(last.marker)])
    assert expected or not regular
    # An answer that is no more than a label is looked at more closely, whatever stood before it.
    if expected and not {pair.chosen[-1].content, pair.rejected[-1].content} & set(LABELS):
        assert regular


def test_nulls_and_other_types_are_set_aside() -> None:
    """A null, or a column of numbers, sets its rows aside as wrong types, and costs no neighbour."""
    good = "\n\nHuman: q\n\nAssistant: a"
    table = pa.table({"chosen": [good, None, good, good], "rejected": [good + "b", good, None, good + "c"]})
    result = turnparse.convert_table(table)

    assert [row["row"] for row in result.set_aside.to_pylist()] == [1, 2]
    assert {tuple(row["codes"]) for row in result.set_aside.to_pylist()} == {("wrong-type",)}
    assert result.rows.num_rows == 2
    numbers = turnparse.convert_table(pa.table({"chosen": [1, 2], "rejected": [good, good]}))
    assert numbers.summary.rows_set_aside == 2


def test_a_table_without_known_columns_is_set_aside() -> None:
    """A table without any column that is known is no error: each row is set aside."""
    result = turnparse.convert_table(pa.table({"question": ["a", "b"]}))

    assert result.summary.diagnostics == {"no-known-column": 2}
    assert json.loads(result.set_aside["raw"][1].as_py()) == {"question": "b"}
    assert result.rows.schema.names == ["prompt", "chosen", "rejected"]


def test_columns_travel_along() -> None:
    """Columns that are not read keep their types and values, and one that the target writes gives way."""
    pair = ("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: b")
    rows = [dict(zip(("chosen", "rejected"), pair, strict=True)) | {"id": number, "prompt": "x"} for number in range(5)]
    rows[2]["chosen"] = "\n\nHuman: q\n\nHuman: r\n\nAssistant: a"
    rows[3]["chosen"] = ""
    result = turnparse.convert_table(pa.Table.from_pylist(rows), keep_columns=True, preset="faithful")

    check_same(result, one_by_one(rows, keep_columns=True, preset="faithful"))
    assert result.rows["id"].to_pylist() == [0, 1, 2, 4] or result.rows["id"].to_pylist() == [0, 1, 2, 3, 4]


def test_tables_of_other_libraries() -> None:
    """A record batch, and anything that speaks the Arrow C interface, is taken; anything else is our own error."""
    table = pa.table({"text": ["\n\nHuman: q\n\nAssistant: a"]})

    class Foreign:
        """A table of another library."""

        def __arrow_c_stream__(self, schema: Any = None) -> Any:  # the interface's name
            """Hand the table over."""
            return table.__arrow_c_stream__(schema)

    for given_table in (table, table.to_batches()[0], Foreign()):
        assert turnparse.convert_table(given_table, to="messages").rows.num_rows == 1
    for other in (None, 5, "text", [1]):
        with pytest.raises(turnparse.ArgumentError):
            turnparse.convert_table(other)


@pytest.mark.usefixtures("always_again")
def test_white_space_is_pythons() -> None:
    """Every character there is, at either end of a text, is stripped by columns exactly if `str.strip` strips it."""
    chars = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = [form for char in chars for form in (f"{char}x{char}", f" {char}x", f"x{char} ")]
    array = pa.array(texts)
    column = TextColumn.of(array)

    for stripped in (column.stripped, column.stripped_apart):
        assert stripped(column.starts, column.ends).array.to_pylist() == [text.strip() for text in texts]


@pytest.mark.usefixtures("always_again")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.sampled_from([" ", "  ", "x", "é", "\u2003", "\n", "\x7f"]), max_size=4).map("".join), max_size=6
    )
)
def test_what_is_stripped_of_short_texts(texts: list[str]) -> None:
    """Texts of white space alone, or of next to nothing, are stripped as `str.strip` does."""
    column = TextColumn.of(pa.array(texts, pa.string()))

    for stripped in (column.stripped, column.stripped_apart):
        found = stripped(column.starts, column.ends)
        assert found.array.to_pylist() == [text.strip() for text in texts]
        assert (found.ends - found.starts).tolist() == [len(text.strip().encode()) for text in texts]


@given(
    st.lists(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\nAB:", b"AB:", b"ABCDEFGHIJKLMNOP", b"x", b"\n", b"##", b"# "]), max_size=30),
    st.integers(0, 12),
)  # fmt: skip
@example([b"x" * (BLOCK - 5), b"\n\nAB:", b"\n\nABCDEFGHIJKLMNOP"], 0)
@example([b"x" * (BLOCK - 2), b"\n\nAB:"], 0)
@example([b"x" * (BLOCK - 1), b"\n\nAB:"], 0)
@example([b"x" * (STRETCH - 2), b"\n\nAB:"], 0)
@example([b":" * 999, b"\n\nAB:" * 9], 0)
@example([b":" * (STRETCH - 4), b"\n\nAB:", b":" * 999, b"\n\nAB:"], 0)
@example([b":" * (STRETCH - 3), b"\n\nAB:", b"B:" * 999, b"\n\nAB:"], 0)
@example([b"::\n\nAB:::" * 9, b"x" * 99, b"\r\n\r\nAB:", b"y" * 99], 0)
@example([b"x" * (STRETCH - 1), b"\n\nAB:", b"\n\n"], 0)
@example([b"x" * STRETCH, b"\n\nAB:", b"y" * (STRETCH - 6), b"\n\nAB:"], 0)
@example([b"x" * (STRETCH - 64 * 3), b"\n" * 64 * 6, b"AB:"], 0)
def test_literals_are_found_where_they_stand(pieces: list[bytes], cut_off: int) -> None:
    """Literals of all lengths are found at every place, the end of the buffer and of its blocks included."""
    literals = [b"\n\nAB:", b"\r\n\r\nAB:", b"\n\nABCDEFGHIJKLMNOP", b"##", b"# AB:"]
    data = b"".join(pieces)
    data = data[: max(0, len(data) - cut_off)]
    place, kind = Literals(literals).find(np.frombuffer(data, np.uint8))

    expected = [
        (at, number)
        for at in range(len(data))
        for number, literal in enumerate(literals)
        if data.startswith(literal, at)
    ]
    assert list(zip(place.tolist(), kind.tolist(), strict=True)) == expected


def test_whole_columns_and_pc_agree_on_lengths() -> None:
    """A column's texts are the bytes between its offsets, sliced or not, of either width."""
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(["a", "日本", None, "", "xyz"], kind).slice(1, 4)
        column = TextColumn.of(array)
        assert (column.ends - column.starts).tolist() == pc.fill_null(pc.binary_length(array), 0).to_pylist()


LONGER = "\n\nHuman: q\n\nAssistant: a"


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("\n\nHuman: Hello\r\n\r\nAssistant: Hi.", "\n\nHuman: Hello\n\nAssistant: é"),
        ("\n\nHuman: Hello  \n\nAssistant: Hi.", "\n\nHuman: Hello\n\nAssistant: é"),
        ("\n\nHuman: Hello\n\nAssistant: Hi.", "Human: Hello\n\nAssistant: é"),
    ],
)
def test_a_seam_inside_a_character(chosen: str, rejected: str) -> None:
    """Sides of which one is longer in its bytes, not in its contents, are read one by one and right."""
    rows = [{"chosen": chosen, "rejected": rejected}]
    check_same(turnparse.convert_table(pa.Table.from_pylist(rows)), one_by_one(rows))


def test_a_table_of_several_kinds_keeps_what_each_row_does_not_read() -> None:
    """Which columns travel along is decided row by row."""
    rows = [
        {"chosen": LONGER, "rejected": LONGER + "z", "transcript": None, "rating": 2.0, "text": None},
        {"chosen": None, "rejected": LONGER, "transcript": LONGER, "rating": 3.0, "text": None},
        {"chosen": None, "rejected": None, "transcript": None, "rating": 4.0, "text": LONGER},
    ]
    result = turnparse.convert_table(pa.Table.from_pylist(rows), to="messages", keep_columns=True)

    found = result.rows.select(["rating", "rejected", "transcript", "text"]).to_pylist()
    assert [row["rating"] for row in found] == [2.0, 3.0, 4.0]
    assert found[1]["rejected"] == LONGER
    assert (found[1]["transcript"], found[2]["text"]) == (None, None)


@pytest.mark.parametrize(
    ("column", "aside"),
    [
        ({"rating": pa.array([2**53 + 1])}, []),
        ({"red_team_member_id": pa.array([2**64 - 1], pa.uint64())}, ["wrong-type"]),
        ({"tags": pa.array([["a", None]])}, ["wrong-type"]),
        ({"num_params": pa.array(["52B"], pa.large_string())}, []),
        ({"red_team_member_id": pa.array([7], pa.int16())}, []),
    ],
)
def test_metadata_of_other_types(column: dict[str, Any], aside: list[str]) -> None:
    """Metadata that a column of the target cannot hold sets its row aside; other types of the same values do not."""
    table = pa.table({"transcript": [LONGER], **column})
    result = turnparse.convert_table(table, to="messages", keep_columns=True)

    assert list(result.summary.diagnostics) == aside
    assert result.rows.num_rows == (not aside)


def test_tables_that_arrow_itself_finds_wrong() -> None:
    """A table with a name twice, or with bytes that are no text, is our own error; runs are decoded."""
    twice = pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["text", "text"])
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    for table in (twice, pa.table({"text": broken})):
        with pytest.raises(turnparse.ArgumentError):
            turnparse.convert_table(table)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([LONGER]))
    assert turnparse.convert_table(pa.table({"text": runs}), to="messages").rows.num_rows == 2


@pytest.mark.parametrize(
    "tail",
    ["\n\nHuman: x", "\n\nHuman", " a\n\nHuman", " a\n\nAssistant \n", "\n\n\n\nAssistant: b", " \r\n\r\nHuman: x", " a\r\n\r\nHuman"],
)  # fmt: skip
def test_what_the_white_space_of_a_tail_hides(tail: str) -> None:
    """A marker, or a cut-off one, that begins in the white space around a rejected answer is not lost with it."""
    rows = [{"chosen": LONGER, "rejected": LONGER[:-2] + tail}]
    table = pa.Table.from_pylist(rows)

    assert turnparse.convert_table(table, preset="faithful").regular == 0
    check_same(turnparse.convert_table(table), one_by_one(rows))


def test_a_label_after_one_space_is_content() -> None:
    """An answer that begins with a label, as quite a few do, is none that a marker could have been stripped from."""
    rows = [{"chosen": LONGER, "rejected": f"{LONGER[:-2]} {label}: x"} for label in LABELS]
    result = turnparse.convert_table(pa.Table.from_pylist(rows), preset="faithful")

    assert result.regular == len(rows)
    check_same(result, one_by_one(rows, preset="faithful"))


TWICE = "\n\nHuman: q\n\nHuman: r\n\nAssistant:"
COUNTED = [
    (f"{TWICE} a", f"{TWICE} b"),
    (f"{TWICE} a\n\nAssistant: b", f"{TWICE} a\n\nAssistant: c"),
    (LONGER, LONGER[:-2]),
    (LONGER[:-2], f"{LONGER[:-2]} \n"),
    (f"{TWICE} ", f"{TWICE} b"),
    (LONGER, f"{LONGER}b"),
]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("to", SHAPES)
def test_codes_that_are_only_counted(preset: str, to: str) -> None:
    """Rows whose codes no policy acts on may be finished by columns; what is said of them is the same."""
    rows = [dict(zip(("chosen", "rejected"), pair, strict=True)) for pair in COUNTED]
    result = turnparse.convert_table(pa.Table.from_pylist(rows), to=to, preset=preset)

    check_same(result, one_by_one(rows, to=to, preset=preset))
    # Two silent sides are identical, which is another code.
    assert to not in PLAIN or result.regular == {"faithful": 5, "default": 3, "strict": 1}[preset]


@pytest.mark.usefixtures("always_again")
@pytest.mark.parametrize(
    "rejected",
    [
        LONGER.encode() + b"\xff",
        LONGER.encode() + b" b \xff b",
        LONGER.encode() + b" \xe2\x80",
        LONGER[:-3].encode() + b"\xff: b",
        b"\xff" + LONGER.encode(),
        b"no turns \x80",
        LONGER[:-2].encode() + b"\x80",
        LONGER[:-2].encode() + b" \x80 b",
        LONGER[:-2].encode() + b" \xc3",
    ],
)
def test_bytes_that_are_no_text_on_the_rejected_side(rejected: bytes) -> None:
    """The rejected side is looked through only where it differs: wherever it is no UTF-8, that is seen."""
    good = pa.array([LONGER] * 3)
    sides = pa.array([LONGER.encode() + b"b", rejected, LONGER.encode() + b"c"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, sides.buffers())
    for target in TARGETS:
        with pytest.raises(turnparse.ArgumentError, match="valid Arrow table"):
            turnparse.convert_table(pa.table({"chosen": good, "rejected": broken}), to=target)


@pytest.mark.parametrize(
    "sides",
    [
        (b"\xff", b"a"),
        (b"a\xff", b"a"),
        (b"no turns \xc3", b"\xa9"),
        (LONGER.encode() + b"\xc3", b"\xa9" + LONGER.encode()),
        (LONGER.encode() + b" \xc3", LONGER[:-2].encode() + b"\xa9"),
    ],
)
@pytest.mark.parametrize("name", ["chosen", "rejected"])
def test_characters_that_two_texts_share(sides: tuple[bytes, bytes], name: str) -> None:
    """Texts are not checked one by one, yet one that is no UTF-8 is seen, also if the next one would make it so."""
    good = pa.array([LONGER] * 3)
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([*sides, LONGER.encode()], pa.binary()).buffers())
    other = {"chosen": "rejected", "rejected": "chosen"}[name]
    with pytest.raises(turnparse.ArgumentError, match="valid Arrow table"):
        turnparse.convert_table(pa.table({name: broken, other: good}))


PIECES = st.sampled_from(
    [b"a", b"\n\nHuman:", "é".encode(), "日本".encode(), "\U0001f600".encode(), b"\xc3", b"\xa9", b"\x80"]
)


@given(st.lists(st.none() | st.lists(PIECES, max_size=6).map(b"".join), max_size=6), st.integers(1, 40))
@example([b"\xc3", b"\xa9"], 40)
@example([b"\n\nHuman: \xc3", b"\xa9"], 40)
def test_utf8_is_checked_as_arrow_checks_it(texts: list[bytes | None], stretch: int) -> None:
    """A column is found wrong exactly if Arrow finds it so, whatever the stretches that it is looked through in."""
    binary = pa.array(texts, pa.binary())
    array = pa.Array.from_buffers(pa.string(), len(texts), binary.buffers())

    def passes(check: Any) -> bool:
        try:
            check()
        except pa.ArrowInvalid:
            return False
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_buffers, "STRETCH", stretch)
        found = passes(lambda: read_column(TextColumn.of(array), Markers(HH.table), check=True))
    assert found == passes(lambda: array.validate(full=True))


def test_bytes_below_a_null_are_no_text() -> None:
    """What lies below a null need not be UTF-8."""
    offsets = pa.py_buffer(np.array([0, 1, 2, 3], np.int32))
    texts = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), offsets, pa.py_buffer(b"a\xffb")])
    for sides in ((texts, pa.array(["x"] * 3)), (pa.array(["x"] * 3), texts)):
        result = turnparse.convert_table(pa.table(dict(zip(("chosen", "rejected"), sides, strict=True))))
        assert [row["codes"][0] for row in result.set_aside.to_pylist()].count("wrong-type") == 1


@pytest.mark.parametrize("offsets", [[0, 9, 3, 30], [0, 10_000, 20, 30]])
def test_offsets_that_lead_nowhere(offsets: list[int]) -> None:
    """Offsets that do not ascend, or that lead out of the bytes, are our own error, in whichever batch they come."""
    buffers = [None, pa.py_buffer(np.array(offsets, np.int32)), pa.py_buffer(b"x" * 40)]
    wrong = pa.Array.from_buffers(pa.string(), 3, buffers)
    for sides in ((pa.array(["x"] * 3), wrong), (wrong, pa.array(["x"] * 3))):
        with pytest.raises(turnparse.ArgumentError):
            turnparse.convert_table(pa.table(dict(zip(("chosen", "rejected"), sides, strict=True))))


def test_a_slice_that_leads_out_of_its_bytes() -> None:
    """Arrow looks at the ends of a whole column only; a slice of it may still lead out of the bytes there are."""
    buffers = [None, pa.py_buffer(np.array([0, 10_000, 20], np.int32)), pa.py_buffer(b"x" * 40)]
    with pytest.raises(pa.ArrowInvalid):
        TextColumn.of(pa.Array.from_buffers(pa.string(), 2, buffers).slice(0, 1))


def test_threads_share_nothing() -> None:
    """Batches of one run that are converted at the same time become what they become one after another."""
    converter = BatchConverter(Job.of(**OPTIONS))
    batches = []
    for number in range(24):
        texts = [LONGER.replace("q", f"{number} {row} " * row) for row in range(200)]
        batches.append(pa.record_batch({"chosen": texts, "rejected": [f"{text}z" for text in texts]}))
    layout = Layout.of_columns(converter, batches[0].schema)

    def rows(batch: Any) -> list[Any]:
        return arrow_rows(converter, converter.judge(batch), layout, Place("", None))[1]

    alone = [rows(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(rows, batches))

    assert together == alone


def test_system_turns_are_not_regular() -> None:
    """A dialect's system turns are read one by one, though speakers do take turns."""
    dialect = Dialect.from_file(DIALECTS / "user_bot.lark")
    rows = [
        {"chosen": f"\nUser: q\nSetup: s\nBot: {answer}", "rejected": "\nUser: q\nSetup: s\nBot: a"} for answer in "bc"
    ]
    result = turnparse.convert_table(pa.Table.from_pylist(rows), dialect=dialect, preset="faithful")

    assert result.regular == 0
    check_same(result, one_by_one(rows, dialect=dialect, preset="faithful"))


@pytest.mark.parametrize("views", [pa.string(), pa.large_string(), pa.string_view()])
def test_dictionaries_of_every_kind_of_text(views: Any) -> None:
    """Polars has dictionaries of string views for its categories: they are texts as any other, and so are their nulls."""
    values = pa.array([LONGER, "no turns"], pa.string())
    values = values.cast(views) if views != pa.string_view() else pa.array(values.to_pylist(), views)
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), values)
    for column in (array, pa.chunked_array([array.slice(0, 1), array.slice(1)])):
        result = turnparse.convert_table(pa.table({"text": column}), to="messages")
        assert result.rows.num_rows == 2
        assert result.set_aside["codes"].to_pylist() == [["no-turns", "preamble"], ["wrong-type"]]
