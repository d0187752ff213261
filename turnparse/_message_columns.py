"""Messages as Arrow columns: lists of roles and contents, made from the turns that the columns reader found."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from turnparse._columns import ROLES, ColumnTurns, PairTurns
from turnparse._target import Part

MESSAGE: Final = pa.struct([("role", pa.string()), ("content", pa.string())])
"""A chat message."""

FIRST_OF: Final = "chosen"
"""The side of a pair whose turns are read whole."""


def message_lists(offsets: Any, roles: Any, contents: Any) -> Any:
    """Return lists of messages: the *roles* and *contents* between each two of *offsets*."""
    if pa.types.is_large_string(contents.type):
        contents = contents.cast(pa.string())
    messages = pa.StructArray.from_arrays([roles, contents], fields=list(MESSAGE))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), messages)


def _role_names(role: Any) -> Any:
    return pa.array(ROLES).take(pa.array(role))


def whole_messages(turns: ColumnTurns, *, drop_last: bool) -> Any:
    """Return the messages of each row, with or without its last."""
    counts = turns.counts
    taken = np.ones(len(turns.place), np.bool_)
    if drop_last:
        taken[turns.last[counts > 0]] = False
        counts = np.maximum(counts - 1, 0)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    index = np.flatnonzero(taken)
    return message_lists(offsets, _role_names(turns.role[index]), turns.column.taken(turns.spans, index))


def _single(contents: Any) -> Any:
    """Return one assistant's message a row."""
    return message_lists(
        np.arange(len(contents) + 1), _assistants(len(contents).bit_length())[: len(contents)], contents
    )


@cache
def _assistants(bits: int) -> Any:
    """Return the role of an assistant two to the power of *bits* times over: every batch needs it, twice."""
    return pa.array(["assistant"]).take(pa.array(np.zeros(1 << bits, np.int8)))


def pair_messages(pairs: PairTurns, part: Part, side: str) -> Any:
    """Return the messages of a *part* of each pair; only those of regular rows count."""
    if part == "shared":
        return whole_messages(pairs.turns, drop_last=True)
    if part == "chosen":
        return _single(pairs.chosen)
    if part == "rejected":
        return _single(pairs.rejected)
    if (side if part == "conversation" else part.removeprefix("whole-")) == FIRST_OF:
        return whole_messages(pairs.turns, drop_last=False)
    return _whole_rejected(pairs)


def _whole_rejected(pairs: PairTurns) -> Any:
    """Return each rejected side from its start: up to its last turn it is the same bytes as the chosen side."""
    turns, column = pairs.turns, pairs.rejected_column
    shift = np.repeat(column.starts - turns.column.starts, turns.counts)
    begins, ends = turns.contents.begins + shift, turns.contents.ends + shift
    filled = turns.counts > 0
    last = turns.last[filled]
    begins[last], ends[last] = pairs.tail.begins[filled], pairs.tail.ends[filled]
    # Of rows that are not regular the places may lie anywhere.
    odd = ~np.repeat(pairs.regular, turns.counts)
    begins[odd] = ends[odd] = 0
    offsets = np.append(turns.first[:-1], len(turns.place))
    contents = column.taken(column.spans(begins, ends), np.arange(len(begins)))
    return message_lists(offsets, _role_names(turns.role), contents)
