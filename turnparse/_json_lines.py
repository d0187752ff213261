"""Arrow batches as lines of JSON, without an object for each row: what `orjson` writes of each row, byte for byte.

All contents of a column are escaped in one go, as one run of bytes. A line is then a list of *pieces*: what JSON has
between two contents, such as ``"},{"role":"assistant","content":"``, is one of a few fragments, the contents are the
rest. One `take` of the pieces, in the order of the lines, is all the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from turnparse._buffers import Mask, Places
from turnparse._contents import TextColumn, is_text
from turnparse._json_text import Pieces, empty, escaped

VALUE, EMPTY, NULL, ROLE = range(4)
"""How a cell begins: with a value, or as an empty list, or null, or, from here on, with a message of the first role, etc."""

OPENINGS: Final = (b"", b"[]", b"null")
"""{how a cell begins: what stands there} of those that have no message."""

RESTS: Final = (b"", b'"}]')
"""What is still to be written of a cell without messages, and of one with messages: a piece with what follows it."""

SPARSE: Final = 8
"""If fewer than one in so many rows are asked for, their messages are copied first, so that no others are escaped."""


@attrs.frozen
class Lines:
    r"""Lines of JSON.

    Attributes:
        data: all lines, one behind the other, as bytes.
        offsets: where each line begins in *data*, and where the last ends; int64, length rows + 1. A line's
            end, ``"\n"``, is part of it.
    """

    data: memoryview
    offsets: Places


def json_lines(batch: Any, rows: Mask | None = None) -> Lines:
    """Return each row of *batch* as a line of JSON: what `orjson.dumps` makes of it, with a line's end.

    Columns of messages, lists of structs of strings *role* and *content*, are written without an object for a row or
    a message, unless there is a null inside a list; all other columns value by value.

    Args:
        batch: a `pyarrow.RecordBatch`, whose columns have a name of their own each, and whose strings are UTF-8.
        rows: which rows to write, bool, length rows; None for all. In others there may be anything.

    Raises:
        TypeError: if a value is of a type that JSON does not have.
    """
    chosen = None if rows is None or rows.all() else np.flatnonzero(rows)
    count = len(batch) if chosen is None else len(chosen)
    if not count:
        return Lines(memoryview(b""), np.zeros(1, np.int64))
    cells = _Cells(count, batch.schema.names)
    others = [
        (number, column)
        for number, column in enumerate(batch.columns)
        if not (_holds_messages(column.type) and cells.add_messages(number, column, chosen))
    ]
    for number, column in others:
        cells.add_values(number, column if chosen is None else _some(column, chosen))
    return cells.lines()


class _Cells:
    """The cells of all rows, each a number of contents. The last of a row is no column's, but the row's end.

    Args:
        rows: how many rows there are.
        names: the names of their columns.
    """

    def __init__(self, rows: int, names: Sequence[str]) -> None:
        self._keys = [(b"," if number else b"{") + orjson.dumps(name) + b":" for number, name in enumerate(names)]
        self._keys.append(b"}\n" if names else b"{}\n")
        # Of each cell, int64, rows x columns + 1: how many contents it has, which is the first, how it begins, and
        # what the cell before it has left to be written.
        self._lengths, self._begins, self._openings, self._rests = np.zeros((4, rows, len(self._keys)), np.int64)
        # The contents: first those of messages, as they are in the batch, with their roles, then values, as JSON.
        self._texts: list[TextColumn] = []
        self._speakers: list[Places] = []
        self._values: list[Pieces] = []
        self._count = 0
        self._roles: dict[str, int] = {}

    def add_messages(self, number: int, column: Any, chosen: Places | None) -> bool:
        """Add the cells *chosen* of a column of messages, before any values; tell whether that could be done."""
        if chosen is not None and SPARSE * len(chosen) < len(column):
            column, chosen = column.take(pa.array(chosen)), None
        wide = pa.types.is_large_list(column.type)
        offsets = _numbers(column, np.int64 if wide else np.int32, len(column) + 1).astype(np.int64)
        begins, ends = offsets[:-1], offsets[1:]
        opening: Any = EMPTY
        if column.null_count:
            null = column.is_null().to_numpy(zero_copy_only=False)
            # Below a null there may be messages.
            ends = np.where(null, begins, ends)
            opening = np.where(null, NULL, EMPTY)[slice(None) if chosen is None else chosen]
        if chosen is not None:
            begins, ends = begins[chosen], ends[chosen]
        low, high = int(begins[0]), int(ends[-1])
        messages = column.values.slice(low, high - low)
        roles, contents = messages.field("role"), messages.field("content")
        if messages.null_count or roles.null_count or contents.null_count:
            return False
        encoded = roles.dictionary_encode()
        known = [self._roles.setdefault(role, len(self._roles)) for role in encoded.dictionary.to_pylist()]
        speakers = np.array(known, np.int64)[_numbers(encoded.indices, np.int32, len(roles))]
        filled = ends > begins
        self._lengths[:, number] = ends - begins
        self._begins[:, number] = begins + (self._count - low)
        self._openings[:, number] = opening
        self._openings[filled, number] = ROLE + speakers[begins[filled] - low]
        self._rests[:, number + 1] = filled
        self._texts.append(TextColumn.of(contents))
        self._speakers.append(speakers)
        self._count += len(messages)
        return True

    def add_values(self, number: int, column: Any) -> None:
        """Add the cells of a column of any type, after all messages."""
        kind = column.type
        place: Any = np.arange(len(column))
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            # Arrow writes these as JSON does.
            texts = TextColumn.of(column.cast(pa.string()).fill_null("null"))
            values = Pieces(texts.ends - texts.starts, [texts.data.tobytes()])
        elif is_text(kind):
            # Names of files and the like: few values, many times.
            encoded = column.dictionary_encode()
            texts = encoded.dictionary.to_pylist()
            place = _numbers(encoded.indices.fill_null(len(texts)), np.int32, len(column))
            values = Pieces.of([orjson.dumps(text) for text in [*texts, None]])
        else:
            values = Pieces.of([orjson.dumps(value) for value in column.to_pylist()])
        self._lengths[:, number] = 1
        self._begins[:, number] = place + self._count
        self._openings[:, number] = VALUE
        self._values.append(values)
        self._count += len(values.lengths)

    def lines(self) -> Lines:
        """Return the lines."""
        heads = [b'{"role":' + orjson.dumps(role) + b',"content":"' for role in self._roles]
        openings = [*OPENINGS, *(b"[" + head for head in heads)]
        firsts = [rest + key + opening for key in self._keys for rest in RESTS for opening in openings]
        others = [b'"},' + head for head in heads]
        # Of each cell the first piece: what stands before its first content, or, if it has none, instead.
        first = self._rests + len(RESTS) * np.arange(len(self._keys))
        first *= len(openings)
        first += self._openings
        first += self._count
        # Two pieces for a content, one for a cell without.
        lengths = self._lengths.ravel()
        sizes = np.maximum(2 * lengths, 1)
        ends = np.cumsum(sizes)
        starts = ends - sizes
        index = np.empty(ends[-1], np.int64)
        before = np.cumsum(lengths) - lengths
        content = np.repeat(self._begins.ravel() - before, lengths)
        content += np.arange(len(content))
        at = np.repeat(starts - 2 * before, lengths)
        at += 2 * np.arange(len(at))
        # A value has no role, but it is the first of its cell: what is written here is overwritten.
        speakers = np.concatenate([*self._speakers, np.zeros(self._count, np.int64)])
        index[at] = speakers[content] + (self._count + len(firsts))
        index[at + 1] = content
        index[starts] = first.ravel()
        data, places = _taken([escaped(self._texts), *self._values, Pieces.of(firsts + others)], index)
        return Lines(data, np.append(0, places[ends.reshape(self._lengths.shape)[:, -1]]))


def _holds_messages(kind: Any) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    fields = list(kind.value_type)
    return [field.name for field in fields] == ["role", "content"] and all(is_text(field.type) for field in fields)


def _some(column: Any, chosen: Places) -> Any:
    """Return the cells *chosen* of *column*."""
    try:
        return column.take(pa.array(chosen))
    except pa.ArrowNotImplementedError:
        # Few of Arrow's functions know string views.
        return pa.array([column[at].as_py() for at in chosen.tolist()], column.type)


def _numbers(array: Any, kind: type[np.integer[Any]], count: int) -> npt.NDArray[Any]:
    """Return the first *count* of the numbers of type *kind* in *array*, or its offsets; pyarrow 17 takes its time."""
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + count]


def _taken(pieces: Sequence[Pieces], index: Places) -> tuple[memoryview, Places]:
    """Return those of *pieces* that *index* names, one behind the other, and where each begins and the last ends."""
    lengths = np.concatenate([some.lengths for some in pieces])
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data, end = empty(int(offsets[-1])), 0
    for block in chain.from_iterable(some.blocks for some in pieces):
        begin, end = end, end + len(block)
        data.data[begin:end] = block
    # Large offsets cost nothing here, and lines may be longer than what they are made of.
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)
    _, places, taken = array.take(pa.array(index)).buffers()
    found = np.frombuffer(places, np.int64)[: len(index) + 1]
    # Arrow says that its bytes are signed.
    return memoryview(taken).cast("B")[: int(found[-1])], found
