"""Messages as Arrow columns: lists of roles and contents, made from the turns that the columns reader found."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from turnparse._buffers import Places
from turnparse._columns import ASSISTANT, ROLES, ColumnTurns, PairTurns
from turnparse._target import Part

MESSAGE: Final = pa.struct([("role", pa.string()), ("content", pa.string())])
"""A chat message."""

MESSAGES: Final = pa.list_(MESSAGE)
"""A list of them."""

_NAMES: Final = pa.array(ROLES)

FIRST_OF: Final = "chosen"
"""The side of a pair whose turns are read whole."""


def message_lists(offsets: Any, roles: Any, contents: Any) -> Any:
    """Return lists of messages: the *roles* and *contents* between each two of *offsets*."""
    if pa.types.is_large_string(contents.type):
        contents = contents.cast(pa.string())
    children = [pa.Array.from_buffers(MESSAGE, len(roles), [None], children=[roles, contents])]
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int32))]
    return pa.Array.from_buffers(MESSAGES, len(offsets) - 1, buffers, children=children)


def _role_names(role: Any) -> Any:
    return _NAMES.take(pa.array(role))


def _offsets(counts: Places) -> Any:
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def whole_messages(turns: ColumnTurns) -> Any:
    """Return the messages of each row."""
    return message_lists(_offsets(turns.counts), _role_names(turns.role), turns.contents.array)


def ranges(begins: Places, counts: Places) -> Places:
    """Return, one behind the other, *counts* numbers that go up from each of *begins*."""
    index: Places = np.repeat(begins - (np.cumsum(counts) - counts), counts)
    index += np.arange(len(index))
    return index


def some_messages(turns: ColumnTurns, begins: Places, counts: Places) -> Any:
    """Return lists of messages: *counts* turns from each of *begins* on."""
    index = ranges(begins, counts)
    return message_lists(
        _offsets(counts), _role_names(turns.role.take(index)), turns.contents.array.take(pa.array(index))
    )


def _shared_messages(turns: ColumnTurns) -> Any:
    """Return the messages of each row without its last."""
    counts = turns.counts - turns.filled
    return message_lists(_offsets(counts), _role_names(turns.role.compress(turns.inner)), turns.inner_contents.array)


def _single(contents: Any) -> Any:
    """Return one assistant's message a row."""
    bits = len(contents).bit_length()
    return message_lists(_counted(bits)[: len(contents) + 1], _assistants(bits)[: len(contents)], contents)


@cache
def _counted(bits: int) -> Any:
    return np.arange((1 << bits) + 1, dtype=np.int32)


@cache
def _assistants(bits: int) -> Any:
    """Return the role of an assistant two to the power of *bits* times over: every batch needs it, twice."""
    return _NAMES.take(pa.array(np.full(1 << bits, ASSISTANT, np.int8)))


def is_whole(part: Part) -> bool:
    """Tell whether a *part* of a pair is a side from its start."""
    return part not in ("shared", "chosen", "rejected")


def pair_messages(pairs: PairTurns, part: Part, side: str) -> Any:
    """Return the messages of a *part* of each pair; only those of regular rows count."""
    if part == "shared":
        return _shared_messages(pairs.turns)
    if part == "chosen":
        return _single(pairs.turns.answers.array)
    if part == "rejected":
        return _single(pairs.responses.array)
    if (side if part == "conversation" else part.removeprefix("whole-")) == FIRST_OF:
        return whole_messages(pairs.turns)
    return _whole_rejected(pairs)


def _whole_rejected(pairs: PairTurns) -> Any:
    """Return each rejected side from its start: up to its last turn it is the same bytes as the chosen side."""
    turns, column = pairs.turns, pairs.rejected
    shift = np.repeat(column.starts - turns.column.starts, turns.counts)
    begins, ends = turns.body + shift, turns.ends + shift
    last = turns.last[turns.filled]
    begins[last], ends[last] = pairs.seam[turns.filled], column.ends[turns.filled]
    # Of rows that are not regular the places may lie anywhere; each is given a place where its row begins.
    odd = ~np.repeat(pairs.finished.regular, turns.counts)
    begins[odd] = ends[odd] = np.repeat(column.starts, turns.counts)[odd]
    return message_lists(_offsets(turns.counts), _role_names(turns.role), column.stripped(begins, ends).array)
