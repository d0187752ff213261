"""Arrow batches as lines of JSON, without an object for each row: what `orjson` writes of each row, byte for byte.

All contents of a column are escaped in one go, as one run of bytes. A line is then a list of *pieces*: what JSON has
between two contents, such as ``"},{"role":"assistant","content":"``, is one of a few fragments, the contents are the
rest. One `take` of the pieces, in the order of the lines, is all the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from turnparse._buffers import Bytes, Mask, Places, numbers
from turnparse._cell_columns import ArrayCells, Built, ExchangeCells, FieldCells, ItemCells, MessageCells, TextCells
from turnparse._cells import Constant, Keys
from turnparse._columns import ROLES
from turnparse._contents import TextColumn, is_text
from turnparse._json_text import Pieces, empty, escaped
from turnparse._markers import Role
from turnparse._message_columns import ranges

VALUE, EMPTY, NULL, KIND = range(4)
"""How a cell begins: with a value, or as it does without contents, or null, or, from here on, with a content of the first kind, etc."""

SPARSE: Final = 8
"""If fewer than one in so many rows are asked for, their contents are copied first, so that no others are escaped."""

LARGE: Final = 1 << 16
"""Bytes of a piece, on average, from which one is copied after the other."""

ONCE: Final = (b'"',)
"""What stands before a text that is all there is."""


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


@attrs.frozen
class Run:
    """Contents, some in each row, and what JSON has around them.

    Attributes:
        texts: the contents.
        offsets: the first content of each row, and one past the last of the last row; length rows + 1.
        kinds: of which kind each content is; None if all are of the first.
        opening: {kind: what stands before such a content where it is the first of its row}.
        between: {kind: what stands before it elsewhere}.
        closing: what stands after the last.
        empty: what stands in a row without.
        null: which rows are null, whatever is in them; None if none is.
    """

    texts: TextColumn
    offsets: Any
    kinds: Any
    opening: Sequence[bytes]
    between: Sequence[bytes]
    closing: bytes
    empty: bytes
    null: Mask | None = None


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
    record = {name: ArrayCells(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    return record_lines([record], len(batch), chosen)


def record_lines(records: Sequence[Mapping[str, Built]], count: int, chosen: Places | None = None) -> Lines:
    """Return rows as lines of JSON: a line for each of the records that a row is, one behind the other.

    Args:
        records: {column: what it holds in all rows}, for each record of a row.
        count: how many rows there are.
        chosen: the rows to write, ascending; None for all. In others there may be anything.

    Raises:
        TypeError: if a value is of a type that JSON does not have.
    """
    written = count if chosen is None else len(chosen)
    if not written:
        return Lines(memoryview(b""), np.zeros(1, np.int64))
    leaves, rest = _flattened(records)
    cells = _Cells(written, [before for before, _ in leaves], rest)
    others = []
    for number, (_, leaf) in enumerate(leaves):
        run = _run(leaf, chosen, count)
        if run is None:
            others.append((number, leaf.array))
        else:
            cells.add_run(number, *run)
    for number, column in others:
        cells.add_values(number, column if chosen is None else _some(column, chosen))
    return cells.lines()


def _flattened(records: Sequence[Mapping[str, Built]]) -> tuple[list[tuple[bytes, Any]], bytes]:
    """Return what differs from row to row, each with the text that stands before it in all rows, and the text after them."""
    leaves: list[tuple[bytes, Any]] = []
    text = b""
    for record in records:
        for piece in (*_pieces_of(FieldCells(record)), b"\n"):
            if isinstance(piece, bytes):
                text += piece
            else:
                leaves.append((text, piece))
                text = b""
    return leaves, text


@attrs.frozen
class _Optional:
    """Texts, each with its key before it and what comes after it, and nothing at all where there is none."""

    key: bytes
    array: Any
    after: bytes


def _pieces_of(built: Built) -> Iterator[Any]:
    """Yield what *built* is made of, in order: text that is the same in all rows, and what differs."""
    match built:
        case Constant():
            yield orjson.dumps(built.value)
        case FieldCells():
            yield b"{"
            for number, (key, inner) in enumerate(built.cells.items(), 1):
                comma = b"," if number < len(built.cells) else b""
                if isinstance(inner, TextCells) and inner.optional:
                    yield _Optional(orjson.dumps(key) + b":", inner.array, comma)
                else:
                    yield orjson.dumps(key) + b":"
                    yield from _pieces_of(inner)
                    yield comma
            yield b"}"
        case ItemCells():
            yield b"["
            for number, inner in enumerate(built.cells):
                yield b"," if number else b""
                yield from _pieces_of(inner)
            yield b"]"
        case _:
            yield built


def _run(leaf: Any, chosen: Places | None, count: int) -> tuple[Run, Places | None] | None:
    """Return the contents of *leaf*, and which rows of them are to be written; None if it has other values."""
    if isinstance(leaf, ArrayCells) and not _holds_messages(leaf.array.type):
        return None
    if chosen is not None and SPARSE * len(chosen) < count:
        leaf, chosen = _copied(leaf, chosen), None
    match leaf:
        case MessageCells():
            return _message_run(leaf), chosen
        case ExchangeCells():
            column = leaf.column
            kinds = np.arange(len(column.roles)) % 2
            run = Run(column.texts, column.offsets, kinds, (b'[["', b""), (b'"],["', b'","'), b'"]]', b"[]")
            return run, chosen
        case TextCells():
            offsets = np.arange(len(leaf.array) + 1)
            null = leaf.array.is_null().to_numpy(zero_copy_only=False) if leaf.array.null_count else None
            return Run(TextColumn.of(leaf.array), offsets, None, ONCE, ONCE, b'"', b"", null), chosen
        case _Optional():
            offsets = np.append(0, np.cumsum(leaf.array.is_valid().to_numpy(zero_copy_only=False)))
            opening = (leaf.key + b'"',)
            return Run(
                TextColumn.of(leaf.array.drop_null()), offsets, None, opening, ONCE, b'"' + leaf.after, b""
            ), chosen
        case _:
            run_of_lists = _list_run(leaf.array)
            return None if run_of_lists is None else (run_of_lists, chosen)


def _copied(leaf: Any, chosen: Places) -> Any:
    """Return *leaf* with the rows *chosen* alone."""
    match leaf:
        case MessageCells():
            counts = leaf.column.counts.take(chosen)
            index = ranges(leaf.column.offsets.take(chosen).astype(np.int64), counts)
            learnt = None if leaf.learnt is None else leaf.learnt.take(index)
            return attrs.evolve(leaf, column=leaf.column.taken(index, counts), learnt=learnt)
        case ExchangeCells():
            counts = leaf.column.counts.take(chosen)
            index = ranges(leaf.column.offsets.take(chosen).astype(np.int64), counts)
            return ExchangeCells(leaf.column.taken(index, counts))
        case TextCells() | _Optional():
            return attrs.evolve(leaf, array=leaf.array.take(pa.array(chosen)))
        case _:
            return ArrayCells(_some(leaf.array, chosen))


def _message_run(cells: MessageCells) -> Run:
    """Return messages as a run of their contents: all else of them is one of a few fragments."""
    keys, column = cells.keys, cells.column
    kinds, heads = column.roles, [_head(keys, role) for role in ROLES]
    if cells.learnt is not None:
        kinds = kinds + np.int8(len(ROLES)) * cells.learnt
        heads = [_head(keys, role, learnt=learnt) for learnt in (False, True) for role in ROLES]
    if cells.single:
        return Run(column.texts, column.offsets, kinds, heads, heads, b'"}', b"null")
    opening, between = [b"[" + head for head in heads], [b'"},' + head for head in heads]
    return Run(column.texts, column.offsets, kinds, opening, between, b'"}]', b"[]")


def _head(keys: Keys, role: Role, *, learnt: bool | None = None) -> bytes:
    """Return a message up to its content."""
    fields: dict[str, Any] = {keys.role: keys.names.get(role, role)}
    if learnt is not None and keys.loss is not None and role in keys.loss.only:
        fields[keys.loss.key] = keys.loss.learnt if learnt else keys.loss.masked
    return orjson.dumps(fields | {keys.content: ""})[:-2]


def _list_run(column: Any) -> Run | None:
    """Return a column of lists of messages as a run of their contents; None if it is another, or there is a null in a list."""
    if not _holds_messages(column.type):
        return None
    wide = pa.types.is_large_list(column.type)
    offsets = _numbers(column, np.int64 if wide else np.int32, len(column) + 1).astype(np.int64)
    low, high = int(offsets[0]), int(offsets[-1])
    messages = column.values.slice(low, high - low)
    roles, contents = messages.field("role"), messages.field("content")
    if messages.null_count or roles.null_count or contents.null_count:
        return None
    encoded = roles.dictionary_encode()
    heads = [b'{"role":' + orjson.dumps(role) + b',"content":"' for role in encoded.dictionary.to_pylist()]
    null = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return Run(
        TextColumn.of(contents),
        offsets - low,
        _numbers(encoded.indices, np.int32, len(roles)),
        [b"[" + head for head in heads],
        [b'"},' + head for head in heads],
        b'"}]',
        b"[]",
        null,
    )


class _Cells:
    """The cells of all rows, each a number of contents. The last of a row holds nothing, but ends the row.

    Args:
        rows: how many rows there are.
        before: what stands before each cell in all rows.
        rest: what stands after the last of them.
    """

    def __init__(self, rows: int, before: Sequence[bytes], rest: bytes) -> None:
        self._before = [*before, rest]
        # Of each cell, int64, rows x cells: how many contents it has, which is the first, how it begins, and
        # whether the cell before it has something left to be written.
        self._lengths, self._begins, self._openings, self._rests = np.zeros((4, rows, len(self._before)), np.int64)
        # {how a cell begins: what stands there}, and what is written after its contents.
        self._opening: list[list[bytes]] = [[b""] for _ in self._before]
        self._closing = [b""] * len(self._before)
        # The contents: first those of runs, as they are in the batch, with what stands before them where they are not
        # their row's first, then values, as JSON.
        self._texts: list[TextColumn] = []
        self._between: list[bytes] = []
        self._kinds: list[Places] = []
        self._values: list[Pieces] = []
        self._count = 0

    def add_run(self, number: int, run: Run, chosen: Places | None) -> None:
        """Add the cells *chosen* of a run of contents, before any values."""
        begins, ends = run.offsets[:-1], run.offsets[1:]
        opening: Any = EMPTY
        if run.null is not None:
            # Below a null there may be contents.
            ends = np.where(run.null, begins, ends)
            opening = np.where(run.null, NULL, EMPTY)[slice(None) if chosen is None else chosen]
        if chosen is not None:
            begins, ends = begins[chosen], ends[chosen]
        filled = ends > begins
        self._lengths[:, number] = ends - begins
        self._begins[:, number] = begins
        self._begins[:, number] += self._count
        self._openings[:, number] = opening
        kinds = 0 if run.kinds is None else run.kinds[begins[filled]].astype(np.int64)
        self._openings[filled, number] = KIND + kinds
        self._rests[:, number + 1] = filled
        self._opening[number] = [b"", run.empty, b"null", *run.opening]
        self._closing[number] = run.closing
        self._texts.append(run.texts)
        before = len(self._between)
        self._kinds.append(
            np.full(len(run.texts), before) if run.kinds is None else run.kinds.astype(np.int64) + before
        )
        self._between += run.between
        self._count += len(run.texts)

    def add_values(self, number: int, column: Any) -> None:
        """Add the cells of a column of any type, after all runs."""
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
        # Of each cell the first piece: what stands before its first content, or, if it has none, instead.
        closings = [b"", *self._closing]
        firsts: list[bytes] = []
        places: list[int] = []
        for closing, before, opening in zip(closings, self._before, self._opening, strict=False):
            places.append(len(firsts))
            firsts += [rest + before + start for rest in (b"", closing) for start in opening]
        first = self._rests * np.array([len(opening) for opening in self._opening])
        first += self._openings
        first += np.array(places) + self._count
        # Two pieces for a content, one for a cell without.
        lengths = self._lengths.ravel()
        sizes = np.maximum(2 * lengths, 1)
        ends = np.cumsum(sizes)
        starts = ends - sizes
        index = np.empty(ends[-1], np.int64)
        before_it = np.cumsum(lengths) - lengths
        content = np.repeat(self._begins.ravel() - before_it, lengths)
        content += np.arange(len(content))
        at = np.repeat(starts - 2 * before_it, lengths)
        at += 2 * np.arange(len(at))
        # A value has no kind, but it is the first of its cell: what is written here is overwritten.
        kinds = np.concatenate([*self._kinds, np.zeros(self._count, np.int64)])
        index[at] = kinds[content] + (self._count + len(firsts))
        index[at + 1] = content
        index[starts] = first.ravel()
        pieces = Pieces.of(firsts + (self._between or [b""]))
        data, found = _taken([escaped(self._texts), *self._values, pieces], index)
        return Lines(data, np.append(0, found[ends.reshape(self._lengths.shape)[:, -1]]))


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
    return numbers(array.buffers()[1], kind)[array.offset : array.offset + count]


def _taken(pieces: Sequence[Pieces], index: Places) -> tuple[memoryview, Places]:
    """Return those of *pieces* that *index* names, one behind the other, and where each begins and the last ends."""
    lengths = np.concatenate([some.lengths for some in pieces])
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data, end = empty(int(offsets[-1])), 0
    for block in chain.from_iterable(some.blocks for some in pieces):
        begin, end = end, end + len(block)
        data.data[begin:end] = block
    if offsets[-1] > LARGE * len(index):
        return _joined(data, offsets, index)
    # Large offsets cost nothing here, and lines may be longer than what they are made of.
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)
    _, places, taken = array.take(pa.array(index)).buffers()
    found = np.frombuffer(places, np.int64)[: len(index) + 1]
    # Arrow says that its bytes are signed.
    return memoryview(taken).cast("B")[: int(found[-1])], found


def _joined(data: Bytes, offsets: Places, index: Places) -> tuple[memoryview, Places]:
    """Return the same as `_taken`, piece by piece: Arrow makes room for twice as much while it takes enormous ones."""
    ends = np.cumsum((offsets[1:] - offsets[:-1]).take(index))
    places = np.append(0, ends)
    made = empty(int(places[-1]))
    for piece, at, end in zip(index.tolist(), places.tolist(), ends.tolist(), strict=False):
        made[at:end] = data[offsets[piece] : offsets[piece + 1]]
    return made.data.cast("B"), places
