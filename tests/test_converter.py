"""The call that engines take: what `convert_table` does, batch by batch, whatever the batch is, and after any journey."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import warnings
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from strategies import DIALECTS, PAIR_ROWS
from turnparse import ArgumentError, Converter, OptionError, RowError, _converter
from turnparse._codes import PRESETS
from turnparse._converter import COLUMN, WAYS
from turnparse._target import targets
from turnparse.targets import Messages

GOOD = {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}
EMPTY = {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant:"}
MIXED = [EMPTY, GOOD, GOOD, EMPTY, EMPTY, GOOD]
TARGETS = sorted(name for name, target in targets().items() if not target.counts_rows)
SAMPLES = files("turnparse") / "samples"
OWN = attrs.evolve(targets()["trl"], name="own", columns={"talk": Messages("whole-chosen")}, rules=())
"""A target of somebody's own."""


def sample(name: str) -> list[dict[str, Any]]:
    """Return the rows of a shipped sample."""
    data = (SAMPLES / name).read_bytes()
    rows: list[dict[str, Any]] = json.loads(data) if data.startswith(b"[") else [*map(json.loads, data.splitlines())]
    return rows


def expected(table: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that a converter with a column for reasons makes of *table*, put together from `convert_table`'s."""
    result = turnparse.convert_table(table, **options)
    aside = {row["row"]: {key: row[key] for key in ("codes", "message", "raw")} for row in result.set_aside.to_pylist()}
    written = iter(result.rows.to_pylist())
    records = len(targets()[options["to"]].records)
    kept = {*table.column_names} & {*result.rows.column_names} - targets()[options["to"]].written("red-team")
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(table.to_pylist()):
        if number in aside:
            rows.append({name: row[name] if name in kept else None for name in result.rows.column_names})
            rows[-1][COLUMN] = aside[number]
        else:
            rows += [next(written) | {COLUMN: None} for _ in range(records)]
    assert next(written, None) is None
    return rows


def pairs_table(rows: list[tuple[str, str]]) -> Any:
    """Return pairs as a table, with a column that may travel along."""
    chosen, rejected = zip(*rows, strict=True) if rows else ((), ())
    return pa.table(
        {
            "chosen": pa.array(chosen, pa.string()),
            "rejected": pa.array(rejected, pa.string()),
            "id": pa.array(range(len(rows)), pa.int64()),
        }
    )


OPTIONS = st.fixed_dictionaries(
    {"to": st.sampled_from(TARGETS), "preset": st.sampled_from(PRESETS), "keep_columns": st.booleans()}
)


@given(rows=PAIR_ROWS, options=OPTIONS)
def test_a_batch_becomes_what_a_table_becomes(rows: list[tuple[str, str]], options: dict[str, Any]) -> None:
    """Rows written and rows set aside are those of `convert_table`, in the order of the input; dropped or not."""
    table = pairs_table(rows)
    made = Converter(**options)(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that rows are dropped
        dropped = Converter(**options, set_aside="drop")(table)

    made.validate(full=True)
    assert made.to_pylist() == expected(table, options)
    assert dropped.equals(turnparse.convert_table(table, **options).rows)
    assert made.schema.names == [*dropped.schema.names, COLUMN]


@given(rows=PAIR_ROWS, options=OPTIONS, places=st.lists(st.integers(0, 9), max_size=4))
def test_batches_of_any_size_give_the_same_rows(
    rows: list[tuple[str, str]], options: dict[str, Any], places: list[int]
) -> None:
    """However a table is cut into batches, the rows are the same, of the type that is told beforehand, in one chunk each."""
    table = pairs_table(rows)
    edges = [0, *sorted(place % (len(rows) + 1) for place in places), len(rows)]
    batches = [table.slice(begin, end - begin) for begin, end in pairwise(edges)]
    converter = pickle.loads(pickle.dumps(Converter(**options)))  # noqa: S301  # our own
    made = [*map(converter, batches)]

    schema = converter.schema_for(table.schema)
    assert [one.schema for one in made] == [schema] * len(made)
    assert all(column.num_chunks <= 1 for one in made for column in one.columns)
    assert pa.concat_tables(made).to_pylist() == converter(table).to_pylist()
    assert [row for batch in converter.batches(iter(table.to_batches())) for row in batch.to_pylist()] == (
        converter(table).to_pylist()
    )


@given(rows=PAIR_ROWS, options=OPTIONS)
def test_what_comes_out_is_of_the_kind_that_went_in(rows: list[tuple[str, str]], options: dict[str, Any]) -> None:
    """A table, a record batch, lists and NumPy's arrays become the same rows: a table, a record batch, lists."""
    table, converter = pairs_table(rows), Converter(**options)
    made = converter(table)
    lists = table.to_pydict()
    arrays = {name: np.array(values, dtype=object if name != "id" else np.int64) for name, values in lists.items()}
    batch = pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)
    out = converter(batch)

    fixed = arrays | {name: np.array(lists[name], dtype=np.str_) for name in ("chosen", "rejected")}
    if rows and all(not text.endswith("\0") for text in [*lists["chosen"], *lists["rejected"]]):
        assert converter(fixed) == made.to_pydict()
    assert isinstance(made, pa.Table)
    assert isinstance(out, pa.RecordBatch)
    assert pa.Table.from_batches([out]) == made
    if rows:  # of no values at all it is not known that they would be texts
        assert converter(lists) == made.to_pydict()
        assert converter(arrays) == made.to_pydict()
    assert all(type(values) is list for values in converter(lists).values())


@pytest.mark.parametrize("name", ["pairs.jsonl", "red_team.jsonl"])
@pytest.mark.parametrize("keep", [True, False])
def test_samples(name: str, *, keep: bool) -> None:
    """The rows of the samples, of every kind, become what `convert_table` makes of them."""
    table = pa.Table.from_pylist(sample(name))
    options: dict[str, Any] = {"to": "messages", "preset": "strict", "keep_columns": keep}

    assert Converter(**options)(table).to_pylist() == expected(table, options)


def test_rows_of_several_kinds_keep_what_they_do_not_read() -> None:
    """In a table of several kinds a row that is set aside keeps what travels along, but for the columns that it reads."""
    rows = [EMPTY | {"text": None, "id": 1}, {"chosen": None, "rejected": None, "text": "no turns", "id": 2}, GOOD]
    rows += [{"chosen": None, "rejected": None, "text": "\n\nHuman: q\n\nAssistant: a", "id": 3}]
    made = Converter("messages", "strict", keep_columns=True)(pa.Table.from_pylist(rows)).to_pylist()

    assert [row["id"] for row in made] == [1, 2, None, 3]
    assert [row[COLUMN] and row[COLUMN]["codes"][0] for row in made] == ["empty-response", "preamble", None, None]
    assert made[0]["chosen"] is made[1]["text"] is made[3]["text"] is None


def test_a_frame_of_pandas_stays_one() -> None:
    """A frame of pandas becomes one, in which messages are lists of dictionaries."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([row | {"id": at} for at, row in enumerate(MIXED)], index=[*"abcdef"])
    made = Converter(keep_columns=True)(frame)

    assert isinstance(made, pandas.DataFrame)
    assert made["id"].tolist() == [*range(6)]
    assert made["chosen"].iloc[1] == [{"role": "assistant", "content": "a"}]
    assert made["chosen"].iloc[0] is None
    assert made[COLUMN].isna().tolist() == [False, True, True, False, False, True]
    assert made.index.tolist() == [*"abcdef"]
    assert Converter("trl-unpaired", set_aside="drop")(frame[1:2]).index.tolist() == [0, 1]


def test_whatever_speaks_arrow_becomes_a_table() -> None:
    """A table of another library is read through the Arrow C interface; what comes out is Arrow's own."""

    class Foreign:
        """A table of another library."""

        def __arrow_c_stream__(self, schema: Any = None) -> Any:  # the interface's name
            """Hand the table over."""
            return pa.Table.from_pylist(MIXED).__arrow_c_stream__(schema)

    assert Converter()(Foreign()) == Converter()(pa.Table.from_pylist(MIXED))


def test_a_result_in_many_pieces_is_in_order_and_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is converted in pieces, and one that is too much for one chunk, give the same rows in aligned chunks."""
    table = pa.Table.from_pylist(MIXED * 20)
    whole = Converter()(table)
    monkeypatch.setattr("turnparse._table.BATCH_BYTES", 500)
    assert Converter()(table) == whole
    assert {column.num_chunks for column in Converter()(table).columns} == {1}
    monkeypatch.setattr(_converter, "ONE_CHUNK", 100)
    made = Converter()(table)

    assert made == whole
    assert len({tuple(map(len, column.chunks)) for column in made.columns}) == 1
    assert made.column(0).num_chunks > 1


def test_dropped_rows_are_told_of_once() -> None:
    """An object that drops rows says so the first time, to its caller, with the first reason; others are not held back."""
    converter = Converter(set_aside="drop")
    with pytest.warns(RuntimeWarning, match="3 rows of a batch were set aside and dropped.*empty-response") as warned:
        first = converter(pa.Table.from_pylist(MIXED))

    assert [warning.filename for warning in warned] == [__file__]
    assert first == converter(pa.Table.from_pylist(MIXED))
    assert first.num_rows == 3
    with pytest.warns(RuntimeWarning, match="dropped"):
        pickle.loads(pickle.dumps(converter))(pa.Table.from_pylist(MIXED))  # noqa: S301  # our own


def test_the_first_row_may_be_an_error() -> None:
    """An object that raises names the first row, its code and its reason, and has the row with it."""
    converter = Converter(set_aside="raise")
    with pytest.raises(RowError, match="row 2 of a batch was set aside: empty-response: ") as caught:
        converter(pa.Table.from_pylist([GOOD, GOOD, EMPTY, {"chosen": "x", "rejected": "y"}]))

    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # as a worker sends it
    assert (error.code, error.row, json.loads(error.raw)) == ("empty-response", 2, EMPTY)
    assert converter(pa.Table.from_pylist([GOOD])).column_names == ["prompt", "chosen", "rejected"]


def test_the_column_of_reasons_stands_in_nobodys_way() -> None:
    """A column of that name that would be written beside it is refused, and advice given; one that is read over is none."""
    table = pa.Table.from_pylist([GOOD | {COLUMN: "mine"}])
    with pytest.raises(ArgumentError, match=r"no column set_aside to travel along.*set_aside='drop'"):
        Converter(keep_columns=True)(table)
    with pytest.raises(OptionError, match="without a column set_aside, found one in own"):
        Converter(attrs.evolve(OWN, columns={COLUMN: Messages("shared")}))

    assert Converter(keep_columns=True, set_aside="drop")(table)[COLUMN].to_pylist() == ["mine"]
    assert Converter()(table)[COLUMN].to_pylist() == [None]


@pytest.mark.parametrize("name", [name for name, target in targets().items() if target.counts_rows])
def test_targets_that_number_rows_are_refused(name: str) -> None:
    """A batch does not know how many rows come before it, so no target that writes that is taken."""
    with pytest.raises(OptionError, match=r"does not know where it begins; use turnparse\.convert"):
        Converter(name)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"to": "nobody"}, OptionError),
        ({"to": 3}, ArgumentError),
        ({"preset": "lenient"}, OptionError),
        ({"policies": {"preamble": "burn"}}, OptionError),
        ({"policies": "keep"}, ArgumentError),
        ({"dialect": "klingon"}, turnparse.DialectError),
        ({"set_aside": "hide"}, OptionError),
        ({"set_aside": []}, OptionError),
    ],
)
def test_options_are_checked_before_an_engine_starts(options: dict[str, Any], error: type[Exception]) -> None:
    """A mistake in an option is told when the object is made."""
    with pytest.raises(error, match="expected"):
        Converter(**options)


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        (None, "NoneType"),
        ([GOOD], "list"),
        (GOOD, "batched=True"),
        ({"chosen": ["a", 1], "rejected": ["b", "c"]}, "one type in the column 'chosen'"),
        ({"chosen": ["\ud800"], "rejected": ["b"]}, "one type in the column 'chosen'"),
        ({"chosen": ["a"], "rejected": ["b", "c"]}, "the same length"),
        ({1: ["a"]}, "columns with names"),
        (pa.table([["a"], ["b"]], ["chosen", "chosen"]), "a name of its own"),
    ],
)
def test_what_is_no_batch_is_refused(batch: Any, found: str) -> None:
    """What cannot be read as a batch is an error that says what it is."""
    with pytest.raises(ArgumentError, match=found):
        Converter()(batch)


def test_the_schema_is_told_of_a_schema_only() -> None:
    """What is no schema is refused; of columns in which nothing can be read all rows would be set aside."""
    with pytest.raises(ArgumentError, match=r"a pyarrow\.Schema"):
        Converter().schema_for({"chosen": "string"})

    schema = pa.schema([("chosen", pa.string_view()), ("rejected", pa.large_string()), ("id", pa.int8())])
    kept = Converter(keep_columns=True).schema_for(schema)
    assert kept.names == ["prompt", "chosen", "rejected", "id", COLUMN]
    assert kept.field("id").type == pa.int8()
    assert Converter().schema_for(pa.schema([])).names == ["prompt", "chosen", "rejected", COLUMN]


def test_a_journey_leaves_it_what_it_is() -> None:
    """An object that was pickled, copied or called has the options, the key and the bytes that it had."""
    converter = Converter(OWN, "strict", dialect=DIALECTS / "user_bot.lark", policies={"preamble": "drop"})  # type: ignore[arg-type]  # paths are taken too
    before = pickle.dumps(converter)
    converter(pa.Table.from_pylist([{"chosen": "\n\nUser: q\n\nBot: a", "rejected": "\n\nUser: q\n\nBot: b"}]))

    assert pickle.dumps(converter) == before
    assert len(before) < 5_000
    for twin in (pickle.loads(before), copy.copy(converter), copy.deepcopy(converter)):  # noqa: S301  # our own
        assert repr(twin) == repr(converter)
        assert twin.cache_key == converter.cache_key
        assert twin(pa.Table.from_pylist(MIXED)) == converter(pa.Table.from_pylist(MIXED))


def test_a_grammar_travels_along(tmp_path: Path) -> None:
    """A dialect that was named by its file is the same where the file is not."""
    path = tmp_path / "mine.lark"
    path.write_bytes((DIALECTS / "user_bot.lark").read_bytes())
    sent = pickle.dumps(Converter("messages", dialect=str(path)))
    path.unlink()

    made = pickle.loads(sent)(pa.table({"text": ["\n\nUser: q\n\nBot: a"]}))  # noqa: S301  # our own
    assert len(made["messages"][0]) == 2


def test_another_version_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with another version of turnparse does not quietly do something else than the others."""
    converter = pickle.loads(pickle.dumps(Converter()))  # noqa: S301  # our own
    monkeypatch.setattr(_converter, "__version__", "0.0.1")

    with pytest.raises(OptionError, match=r"found 0\.0\.1:.*the same version everywhere"):
        converter(pa.Table.from_pylist([GOOD]))


def test_its_key_changes_with_what_names_stand_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is another one for another version, grammar or target, and the same for the same."""
    keys = {Converter(to).cache_key for to in [*(targets()[name] for name in TARGETS), OWN]}
    keys |= {Converter(dialect=turnparse.Dialect.named().with_labels(user="User")).cache_key}
    keys |= {Converter("messages", from_=back).cache_key for back in ("chatml", "hh") if back in targets()}
    assert len(keys) >= len(TARGETS) + 3
    assert Converter().cache_key == Converter().cache_key
    before = Converter().cache_key
    monkeypatch.setattr(_converter, "__version__", "99")
    assert Converter().cache_key == "99:" + before.split(":")[1]


SAME_BYTES = """
import hashlib, pickle, sys, turnparse
from turnparse.targets import Messages, Target
own = Target(name="own", about="a", link="b", takes=("pair",), columns={"talk": Messages("whole-chosen")})
made = [
    turnparse.Converter(policies={"same-speaker": "merge", "preamble": "drop"}),
    turnparse.Converter(policies={"preamble": "drop", "same-speaker": "merge"}),
    turnparse.Converter(own, "strict", dialect=sys.argv[1], system="Be brief."),
]
print(*(hashlib.sha256(pickle.dumps(one)).hexdigest() for one in made))
"""


def test_it_is_the_same_bytes_in_every_process() -> None:
    """What is pickled does not depend on the process, nor on the order in which policies were named."""
    found = set()
    for seed in ("0", "1", "77"):
        command = [sys.executable, "-c", SAME_BYTES, str(DIALECTS / "user_bot.lark")]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(tuple(done.stdout.split()))

    ((first, second, third),) = found
    assert first == second != third


def test_a_dialect_that_is_read_row_by_row_is_told_of_when_it_is_named() -> None:
    """The warning that a dialect is slow comes once, when the object is made, to who makes it; workers are silent."""
    dialect = turnparse.Dialect.from_file(DIALECTS / "numbered.lark")
    with pytest.warns(RuntimeWarning, match="one by one") as warned:
        converter = Converter("messages", dialect=dialect)

    assert [warning.filename for warning in warned] == [__file__]
    assert pickle.loads(pickle.dumps(converter))(pa.table({"text": ["x"]})).num_rows == 1  # noqa: S301  # our own


def test_every_way_is_documented() -> None:
    """The class says what becomes of rows that are set aside in each way that there is."""
    assert Converter.__doc__ is not None
    assert all(f'``"{way}"``' in Converter.__doc__ for way in WAYS)
