"""Messages by columns: the roles and contents of all rows, made from the turns that the columns reader found."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from turnparse._buffers import Bytes, Kinds, Mask, Places
from turnparse._cells import led
from turnparse._columns import ASSISTANT, ROLES, ColumnTurns, PairTurns
from turnparse._contents import TextColumn
from turnparse._target import LETTERS

_NAMES: Final = pa.array(ROLES)

SYSTEM: Final = ROLES.index("system")

FIRST_OF: Final = "chosen"
"""The side of a pair whose turns are read whole."""

_LETTERS: Final[Bytes] = np.frombuffer(
    "".join(LETTERS[role] for role in ROLES).encode() + "".join(LETTERS[role].upper() for role in ROLES).encode(),
    np.uint8,
)


@attrs.frozen
class MessageColumn:
    """Some messages of each row. In rows that nobody asks for there may be anything.

    Attributes:
        offsets: the first message of each row, and one past the last of the last row; int32, length rows + 1.
        roles: the role of each, an index into `ROLES`; int8, length messages.
        contents: what each says, as a `pyarrow.Array` of type string or large_string; length messages.
        names: the same roles as a `pyarrow.Array` of strings, where it is at hand.
        saying: whether each message of the rows that anybody asks for is known to say something.
        way: the letters of every row, where they are all alike.
    """

    offsets: npt.NDArray[np.int32]
    roles: Kinds
    contents: Any
    names: Any = None
    saying: bool = False
    way: str | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def texts(self) -> TextColumn:
        """The contents as bytes; length messages."""
        return TextColumn.of(self.contents)

    @cached_property
    def counts(self) -> Places:
        """How many messages each row has; length rows."""
        return np.diff(self.offsets).astype(np.int64)

    @cached_property
    def leading(self) -> Mask:
        """Whether the first message of each row is the system's; length rows."""
        if not (self.roles == SYSTEM).any():
            return np.zeros(len(self), np.bool_)
        begins = self.offsets[:-1]
        leading: Mask = (self.roles.take(begins, mode="clip") == SYSTEM) & (self.counts > 0)
        return leading

    @cached_property
    def letters(self) -> Any:
        """The letters that stand for each row's messages in the patterns of rules, as a `pyarrow.Array` of strings."""
        kinds = self.roles if self.saying else self.roles + np.int8(len(ROLES)) * ~self.texts.filled
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(_LETTERS.take(kinds))]
        return pa.Array.from_buffers(pa.string(), len(self), buffers)

    def taken(self, index: Places, counts: Places) -> MessageColumn:
        """Return the messages *index*, so many of them to each row as *counts* says."""
        return MessageColumn(offsets_of(counts), self.roles.take(index), self.contents.take(pa.array(index)))

    def without_leading(self) -> MessageColumn:
        """Return the same without leading messages of the system."""
        if not self.leading.any():
            return self
        counts = self.counts - self.leading
        return self.taken(ranges(self.offsets[:-1] + self.leading, counts), counts)

    def system(self) -> Any:
        """Return the leading message of the system of each row, null where there is none, as a `pyarrow.Array`."""
        begins = pa.array(self.offsets[:-1].astype(np.int64), mask=~self.leading)
        return self.contents.take(begins) if len(self.contents) else pa.nulls(len(self), self.contents.type)

    def led_by(self, prompt: str) -> MessageColumn:
        """Return the same with a system's message before each row, or before what is in the one that leads it."""
        own = self.leading
        leads = pa.array([prompt], self.contents.type)
        if own.any():
            # The text of each row that has one of its own.
            mine = self.contents.take(pa.array(self.offsets[:-1][own].astype(np.int64)))
            leads = pa.concat_arrays([leads, pa.array([led(prompt, text) for text in mine.to_pylist()], leads.type)])
        counts = self.counts + ~own
        offsets = offsets_of(counts)
        index = np.empty(offsets[-1], np.int64)
        first = np.zeros(len(index), np.bool_)
        first[offsets[:-1]] = True
        index[~first] = ranges(self.offsets[:-1] + own, self.counts - own)
        index[first] = len(self.contents) + np.where(own, np.cumsum(own), 0)
        roles = np.append(self.roles, np.full(len(leads), SYSTEM, np.int8))
        return MessageColumn(offsets, roles.take(index), pa.concat_arrays([self.contents, leads]).take(pa.array(index)))


def offsets_of(counts: Places) -> npt.NDArray[np.int32]:
    """Return where each of *counts* things begin, and where the last of them end."""
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ranges(begins: npt.NDArray[np.integer[Any]], counts: Places) -> Places:
    """Return, one behind the other, *counts* numbers that go up from each of *begins*."""
    index: Places = np.repeat(begins - (np.cumsum(counts) - counts), counts)
    index += np.arange(len(index))
    return index


def whole_messages(turns: ColumnTurns) -> MessageColumn:
    """Return the messages of each row."""
    return MessageColumn(offsets_of(turns.counts), turns.role, turns.contents.array)


def some_messages(turns: ColumnTurns, begins: Places, counts: Places) -> MessageColumn:
    """Return messages of each row: *counts* turns from each of *begins* on."""
    index = ranges(begins, counts)
    return MessageColumn(offsets_of(counts), turns.role.take(index), turns.contents.array.take(pa.array(index)))


def first_messages(turns: ColumnTurns) -> MessageColumn:
    """Return the messages of each row without its last; of rows that are regular, each says something."""
    counts = turns.counts - turns.filled
    roles = turns.role.compress(turns.inner)
    return MessageColumn(offsets_of(counts), roles, turns.inner_contents.array, saying=True)


def answers(contents: Any, *, saying: bool) -> MessageColumn:
    """Return one assistant's message a row; *saying* is whether each says something."""
    bits = len(contents).bit_length()
    roles, names = (array[: len(contents)] for array in _assistants(bits))
    return MessageColumn(
        _counted(bits)[: len(contents) + 1], roles, contents, names, saying, LETTERS["assistant"] if saying else None
    )


@cache
def _counted(bits: int) -> Any:
    return np.arange((1 << bits) + 1, dtype=np.int32)


@cache
def _assistants(bits: int) -> tuple[Kinds, Any]:
    """Return the role of an assistant two to the power of *bits* times over: every batch needs it, twice."""
    roles = np.full(1 << bits, ASSISTANT, np.int8)
    return roles, role_names(roles)


def role_names(roles: Kinds, names: Any = _NAMES) -> Any:
    """Return *roles*, indices into `ROLES`, by their *names*."""
    return names.take(pa.array(roles))


def whole_rejected(pairs: PairTurns) -> MessageColumn:
    """Return each rejected side from its start: up to its last turn it is the same bytes as the chosen side."""
    turns, column = pairs.turns, pairs.rejected
    shift = np.repeat(column.starts - turns.column.starts, turns.counts)
    begins, ends = turns.body + shift, turns.ends + shift
    last = turns.last[turns.filled]
    begins[last], ends[last] = pairs.seam[turns.filled], column.ends[turns.filled]
    # Of rows that are not regular the places may lie anywhere; each is given a place where its row begins.
    odd = ~np.repeat(pairs.finished.regular, turns.counts)
    begins[odd] = ends[odd] = np.repeat(column.starts, turns.counts)[odd]
    return MessageColumn(offsets_of(turns.counts), turns.role, column.stripped(begins, ends).array)
