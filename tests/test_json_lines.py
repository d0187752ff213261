"""Batches as lines of JSON: what `orjson` writes of each row, however the batch is cut and typed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from strategies import COLUMN_TYPES, PAIR_ROWS, other_columns, record_batches
from turnparse import _json_lines
from turnparse._json_lines import json_lines
from turnparse._json_text import BLOCK, ESCAPES

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def one_by_one(batch: Any) -> list[bytes]:
    """Return the line that orjson writes of each row."""
    return [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist()]


def check(batch: Any, rows: Any = None) -> None:
    """Assert that the lines of *batch*, or of its *rows* alone, are those that orjson writes, joined in either way."""
    for large in (_json_lines.LARGE, 0):
        with mock.patch.object(_json_lines, "LARGE", large):
            check_lines(json_lines(batch, rows), batch, rows)


def check_lines(lines: _json_lines.Lines, batch: Any, rows: Any) -> None:
    """Assert that *lines* are those that orjson writes of *batch*, or of its *rows* alone."""
    expected = (
        [line for line, taken in zip(one_by_one(batch), rows, strict=True) if taken]
        if rows is not None
        else one_by_one(batch)
    )
    offsets = lines.offsets.tolist()
    assert [bytes(lines.data[begin:end]) for begin, end in pairwise(offsets)] == expected
    assert lines.data == b"".join(expected)
    assert lines.offsets.dtype == np.int64
    assert len(offsets) == len(expected) + 1


def column(*lists: Sequence[str] | None, kind: Any = MESSAGES) -> Any:
    """Return lists of messages that have these contents, of a user and an assistant in turn."""
    roles = ("user", "assistant")
    cells = [
        None if texts is None else [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
        for texts in lists
    ]
    return pa.array(cells, kind)


@given(record_batches(), st.data())
def test_lines_are_those_of_orjson(batch: Any, data: st.DataObject) -> None:
    """Of every batch, and of any of its rows, whatever the types and the layout, the lines are orjson's."""
    check(batch)
    size = len(batch)
    check(batch, np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), np.bool_))
    check(batch.slice(*data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))))


@pytest.mark.parametrize(("kind", "values"), COLUMN_TYPES, ids=lambda value: str(value)[:30])
@given(data=st.data())
def test_columns_of_every_type(kind: Any, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Columns of each type, nulls among them, stand before and after messages, all rows or some, as orjson has them."""
    others = data.draw(other_columns(3, kind, values))
    batch = pa.record_batch([others, column(["x"], None, []), others], names=["a", "b", "c"])
    check(batch)
    check(batch, np.array([True, False, True]))


@given(PAIR_ROWS, st.sampled_from(["trl", "trl-implicit", "messages"]))
def test_lines_of_what_a_table_became(rows: list[tuple[str, str]], to: str) -> None:
    """The batches that the project itself makes are written as orjson writes their rows."""
    table = pa.table(
        {name: pa.array([row[side] for row in rows], pa.string()) for side, name in enumerate(("chosen", "rejected"))}
    )
    for batch in turnparse.convert_table(table, to=to, preset="faithful").rows.to_batches():
        check(batch)


def test_every_character_of_one_or_two_bytes() -> None:
    """Each character alone, beside another, and in a role or a name, is escaped if and only if orjson escapes it."""
    chars = [
        chr(code) for code in [*range(0x801), 0x2028, 0x2029, 0xFFFF, 0x10000, 0x10FFFF] if not 0xD800 <= code < 0xE000
    ]
    check(pa.record_batch({"prompt": column(*([char, f"x{char}", f"{char}{char}x"] for char in chars))}))
    roles = pa.array([[{"role": char, "content": ""}] for char in chars], MESSAGES)
    check(pa.record_batch({"prompt": roles, "chosen": roles.slice(0, len(roles))}))
    check(pa.record_batch({char: column(["x"]) for char in chars[:0x80]}))


@pytest.mark.parametrize("size", [63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
@pytest.mark.parametrize("char", ["\n", "\x01", '"', "\\", "é", "\U0001f600"])
def test_escapes_at_the_edges_of_words_and_blocks(size: int, char: str) -> None:
    """What is escaped, or takes several bytes, is right at the edges of what is looked through at a time."""
    check(pa.record_batch({"prompt": column([(size - 1) * "x" + char, char], [size * "x", char + "x"])}))


def test_text_that_is_all_escapes() -> None:
    """Text of nothing but what is escaped, in every order of two, is escaped once."""
    texts = [chr(one) + chr(other) for one in ESCAPES for other in ESCAPES]
    check(pa.record_batch({"prompt": column(texts, texts[::-1]), "chosen": column(["".join(texts)], [])}))


@pytest.mark.parametrize(
    "kind", [MESSAGES, pa.large_list(pa.struct([("role", pa.large_string()), ("content", pa.large_string())]))]
)
def test_empty_lists_nulls_and_empty_contents(kind: Any) -> None:
    """Cells with nothing in them are right first and last, beside each other and beside full ones."""
    cells = [None, [], [""], ["a", ""], ["", "b"]]
    pairs = [(one, other) for one in cells for other in cells]
    batch = pa.record_batch(
        {side: column(*(pair[at] for pair in pairs), kind=kind) for at, side in enumerate(("a", "b"))}
    )
    check(batch)
    for begin in range(len(batch)):
        check(batch.slice(begin, 1))
        check(batch.slice(begin, 7))
    for cell in cells:
        check(pa.record_batch({"a": column(cell, cell, kind=kind)}))


def test_messages_below_a_null() -> None:
    """Messages that belong to no list, before the first, after the last or below a null, are not written."""
    texts = ["x", "\n", "y\\", '"', "z", "\x02"]
    messages = pa.StructArray.from_arrays([pa.array(texts), pa.array(texts)], ["role", "content"])
    lists = pa.ListArray.from_arrays(pa.array([1, 2, 4, 5], pa.int32()), messages, mask=pa.array([False, True, False]))
    batch = pa.record_batch({"prompt": lists, "chosen": lists})
    assert batch.to_pylist()[2]["chosen"] == [{"role": "z", "content": "z"}]
    check(batch)
    check(batch, np.array([False, True, False]))
    check(batch, np.array([True, False, True]))


@pytest.mark.parametrize("at", ["message", "role", "content"])
def test_nulls_inside_lists(at: str) -> None:
    """A list with a null in it is written all the same, and so is what stands beside it."""
    message = {"role": "user", "content": "x"}
    odd = [message, None if at == "message" else message | {at: None}]
    check(
        pa.record_batch({"a": column(["x"], []), "b": pa.array([odd, [message]], MESSAGES), "c": column(["y"], None)})
    )


def test_no_rows_and_no_columns() -> None:
    """A batch without rows has no lines; one without columns has empty objects; a mask may leave nothing."""
    batch = pa.record_batch({"prompt": column(["x"], ["y"])})
    check(batch.slice(0, 0))
    check(batch, np.zeros(2, np.bool_))
    assert (bytes(json_lines(batch.slice(2)).data), json_lines(batch.slice(2)).offsets.tolist()) == (b"", [0])
    assert bytes(json_lines(batch.select([])).data) == b"{}\n{}\n"
    check(pa.RecordBatch.from_arrays([], schema=pa.schema([])))


def test_rows_that_are_not_asked_for_may_hold_anything() -> None:
    """Of rows behind the mask not even the types of their values matter; of others a wrong type is an error."""
    batch = pa.record_batch({"prompt": column(["x"], ["y"]), "raw": pa.array([b"\xff", None])})
    assert bytes(json_lines(batch, np.array([False, True])).data) == one_by_one(batch.slice(1))[0]
    with pytest.raises(TypeError):
        json_lines(batch)


def test_few_rows_of_many() -> None:
    """A few rows of a long batch are written as if they were all, from lists that are null, empty and full."""
    cells: list[list[str] | None] = [None, [], ["x\n"], ["a", '"']]
    lists = column(*(cells[at % 4] for at in range(200)))
    batch = pa.record_batch({"prompt": lists, "line": pa.array(range(200)), "chosen": lists}).slice(3, 190)
    for rows in ([0], [189], [7, 8, 9, 10, 100], range(0, 190, 9)):
        check(batch, np.isin(np.arange(190), list(rows)))


def test_lines_that_outgrow_their_columns() -> None:
    """Lines that are six times as long as the columns that they are made of are right to the last byte."""
    check(pa.record_batch({"prompt": column(*(["\x00" * 5000] for _ in range(100)))}))


def test_threads_share_a_batch() -> None:
    """Several threads that write one batch at a time, and different ones, get the same lines."""
    batches = [pa.record_batch({"prompt": column(*([f"{at}\n"] * 50)), "line": pa.array(range(50))}) for at in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: bytes(json_lines(batch).data), batches * 4))
    assert found == [b"".join(one_by_one(batch)) for batch in batches * 4]
