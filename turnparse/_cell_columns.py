"""The cells of a target by columns: what `turnparse._cells` declares, made of the parts of rows, for all rows at once.

What is made is not yet an array: a constant, or an object around other things, is the same in every row, and JSON needs no
more of it than its text. `turnparse._json_lines` writes it so; `array_of` makes Arrow's arrays of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, assert_never

import attrs
import numpy as np
import pyarrow as pa

from turnparse._buffers import Bytes, Mask
from turnparse._cells import (
    TAILS,
    Cell,
    Constant,
    Content,
    Exchanges,
    Fields,
    Index,
    Items,
    Keys,
    Loss,
    Message,
    Messages,
    Sha256,
    System,
    Text,
    Writing,
)
from turnparse._columns import ASSISTANT, ROLES
from turnparse._contents import TextColumn
from turnparse._markers import MarkerTable
from turnparse._message_columns import SYSTEM, MessageColumn, offsets_of, ranges, role_names
from turnparse._parts import Parts
from turnparse._render import SPACE

CONSTANTS: Final = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
"""{type of a constant: its type in Arrow}."""

NULLABLE: Final = {"text": pa.string(), "number": pa.float64()}
"""{what a column has of which all values are None: its type in Arrow}."""


@attrs.frozen
class MessageCells:
    """Messages: a list of them in each row, or one.

    Attributes:
        column: the messages.
        keys: how they are spelt.
        single: whether each row has one message, and not a list.
        learnt: whether a trainer is to learn from each message; None to leave that out; length messages.
    """

    column: MessageColumn
    keys: Keys
    single: bool = False
    learnt: Mask | None = None


@attrs.frozen
class ExchangeCells:
    """Questions and answers, by turns: a list of pairs of texts in each row.

    Attributes:
        column: the messages; so many of each row that they pair.
    """

    column: MessageColumn


@attrs.frozen
class TextCells:
    """Texts, of which some may be null.

    Attributes:
        array: a `pyarrow.Array` of type string or large_string.
        optional: whether JSON has no key where the text would be null.
    """

    array: Any
    optional: bool = False


@attrs.frozen
class ArrayCells:
    """Values of any type.

    Attributes:
        array: a `pyarrow.Array`.
    """

    array: Any


@attrs.frozen
class FieldCells:
    """Objects, all with the same keys: {key: what it holds}."""

    cells: Mapping[str, Built]


@attrs.frozen
class ItemCells:
    """Lists of the same length: what each item is."""

    cells: tuple[Built, ...]


Built = MessageCells | ExchangeCells | TextCells | ArrayCells | Constant | FieldCells | ItemCells
"""What a column of a target holds in all rows."""


def build(cell: Cell, parts: Parts, writing: Writing) -> Built:
    """Return what *cell* is in each row of *parts*."""
    match cell:
        case Messages():
            column = parts.part(cell.part)
            column = column.without_leading() if cell.system == "apart" else _led(column, cell, writing)
            return MessageCells(column, cell.keys, learnt=_learnt(column, cell.keys, writing))
        case Message():
            column = one_of(parts.part(cell.part), "last")
            return MessageCells(column, cell.keys, single=True, learnt=_learnt(column, cell.keys, writing))
        case Content():
            return TextCells(one_of(parts.part(cell.part).without_leading(), cell.at).contents)
        case Text():
            return TextCells(_rendered(_led(parts.part(cell.part), cell, writing), cell, writing.table))
        case System():
            return _system(parts, cell, writing)
        case Exchanges():
            column = parts.part(cell.part).without_leading()
            # Of rows that nobody asks for there may be too few or too many.
            counts = np.maximum(column.counts - 1, 0) & ~1
            return ExchangeCells(column.taken(ranges(column.offsets[:-1].astype(np.int64), counts), counts))
        case Constant():
            return cell
        case Index():
            return ArrayCells(pa.array(writing.numbers))
        case Fields():
            return FieldCells({key: build(inner, parts, writing) for key, inner in cell.cells.items()})
        case Items():
            return ItemCells(tuple(build(inner, parts, writing) for inner in cell.cells))
        case Sha256():
            texts = array_of(build(cell.cell, parts, writing), len(parts)).to_pylist()
            return TextCells(pa.array([hashlib.sha256(text.encode()).hexdigest() for text in texts], pa.string()))
        case _:
            assert_never(cell)


def _led(column: MessageColumn, cell: Messages | Text, writing: Writing) -> MessageColumn:
    """Return *column* with the system prompt that the run adds, if the part begins a conversation."""
    return column if writing.system is None or cell.part in TAILS else column.led_by(writing.system)


def _learnt(column: MessageColumn, keys: Keys, writing: Writing) -> Mask | None:
    if writing.loss is None or keys.loss is None:
        return None
    learnt: Mask = column.roles == ASSISTANT
    if writing.loss == "last-turn":
        last = np.zeros(len(learnt), np.bool_)
        last[column.offsets[1:][column.counts > 0] - 1] = True
        learnt &= last
    return learnt


def one_of(column: MessageColumn, at: Literal["first", "last"]) -> MessageColumn:
    """Return the first or last message of each row; of rows without, something or other."""
    if len(column.roles) == len(column) and (column.counts == 1).all():
        return column
    counts = np.ones(len(column), np.int64)
    if not len(column.roles):
        return MessageColumn(
            offsets_of(counts), np.zeros(len(column), np.int8), pa.array([""] * len(column), pa.string())
        )
    index = column.offsets[:-1] if at == "first" else column.offsets[1:] - 1
    return column.taken(np.clip(index, 0, len(column.roles) - 1).astype(np.int64), counts)


def _system(parts: Parts, cell: System, writing: Writing) -> Built:
    column = parts.part(cell.part)
    if not column.leading.any() and (writing.system is not None or not cell.optional):
        return Constant(cell.absent if writing.system is None else writing.system)
    texts = (column if writing.system is None else column.led_by(writing.system)).system()
    return TextCells(texts if cell.absent is None else texts.fill_null(cell.absent), cell.optional)


def _rendered(column: MessageColumn, cell: Text, table: MarkerTable) -> Any:
    """Return the messages of each row as text, as `turnparse.render` writes them."""
    heads = ["" if role == ROLES[SYSTEM] else table.canonical[role] + SPACE for role in ROLES]
    cue = table.canonical[ROLES[ASSISTANT]]
    # After the contents come the heads, and then what is written instead of an assistant's where its marker is left out.
    pieces = [*heads, heads[ASSISTANT][len(cue) :], cue]
    contents = column.contents
    pool = pa.concat_arrays([contents, pa.array(pieces, contents.type)])
    counts = column.counts
    sizes = 2 * counts + (cell.cue == "append")
    edges = offsets_of(sizes).astype(np.int64)
    index = np.empty(edges[-1], np.int64)
    at = np.repeat(edges[:-1] - 2 * column.offsets[:-1], counts) + 2 * np.arange(len(contents))
    index[at] = column.roles.astype(np.int64) + len(contents)
    index[at + 1] = np.arange(len(contents))
    if cell.cue == "strip":
        index[edges[:-1][counts > 0]] = len(contents) + len(heads)
    elif cell.cue == "append":
        index[edges[1:] - 1] = len(contents) + len(heads) + 1
    texts = TextColumn.of(pool.take(pa.array(index)))
    # The pieces of a row lie one behind the other: it is a text already, but for where it begins and ends.
    places = np.append(texts.starts, len(texts.data))[edges]
    return _texts(places, texts.data)


def _texts(places: Any, data: Bytes) -> Any:
    """Return the texts between *places* in *data* as a `pyarrow.Array`, of type string if they are short enough."""
    large = len(data) > np.iinfo(np.int32).max
    offsets = np.ascontiguousarray(places, np.int64 if large else np.int32)
    kind = pa.large_string() if large else pa.string()
    return pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def type_of(cell: Cell, loss: Loss | None) -> Any:
    """Return the type of *cell* in Arrow, where a trainer learns from messages as *loss* says."""
    match cell:
        case Messages():
            return pa.list_(_message_type(cell.keys, loss))
        case Message():
            return _message_type(cell.keys, loss)
        case Content() | Text() | System() | Sha256():
            return pa.string()
        case Exchanges():
            return pa.list_(pa.list_(pa.string()))
        case Constant():
            return constant_type(cell)
        case Index():
            return pa.int64()
        case Fields():
            return pa.struct([(key, type_of(inner, loss)) for key, inner in cell.cells.items()])
        case Items():
            return pa.list_(type_of(cell.cells[0], loss))
        case _:
            assert_never(cell)


def constant_type(cell: Constant) -> Any:
    """Return the type of a constant in Arrow."""
    return NULLABLE[cell.nullable] if cell.value is None else CONSTANTS[type(cell.value)]


def _message_type(keys: Keys, loss: Loss | None) -> Any:
    mark = [] if loss is None or keys.loss is None else [(keys.loss.key, CONSTANTS[type(keys.loss.learnt)])]
    return pa.struct([(keys.role, pa.string()), *mark, (keys.content, pa.string())])


def array_of(built: Built, rows: int) -> Any:
    """Return *built* as a `pyarrow.Array` of so many *rows*."""
    match built:
        case MessageCells():
            return _message_array(built)
        case ExchangeCells():
            offsets = built.column.offsets
            pairs = np.arange(0, offsets[-1] + 1, 2, dtype=np.int32)
            return _lists(offsets // 2, _lists(pairs, _narrow(built.column.contents)))
        case TextCells():
            return _narrow(built.array)
        case ArrayCells():
            return built.array
        case Constant():
            # Arrow repeats a scalar in no time.
            return pa.repeat(pa.scalar(built.value, constant_type(built)), rows)
        case FieldCells():
            arrays = [array_of(inner, rows) for inner in built.cells.values()]
            return pa.StructArray.from_arrays(arrays, names=list(built.cells))
        case ItemCells():
            arrays = [array_of(inner, rows) for inner in built.cells]
            count = len(arrays)
            # All first items, then all second ones: put in the order of rows.
            index = (np.arange(rows)[:, None] + np.arange(count) * rows).ravel()
            values = arrays[0] if count == 1 else pa.concat_arrays(arrays).take(pa.array(index))
            return _lists(np.arange(0, count * rows + 1, count, dtype=np.int32), values)
        case _:
            assert_never(built)


def _message_array(built: MessageCells) -> Any:
    column, keys = built.column, built.keys
    names = column.names
    if names is None or keys.names:
        names = role_names(column.roles, pa.array([keys.names.get(role, role) for role in ROLES]))
    children = [(keys.role, names), (keys.content, _narrow(column.contents))]
    if built.learnt is not None and keys.loss is not None:
        mark = keys.loss
        values = pa.array([mark.masked, mark.learnt], CONSTANTS[type(mark.learnt)])
        absent = np.array([role not in mark.only for role in ROLES]).take(column.roles)
        children.insert(1, (mark.key, values.take(pa.array(built.learnt.astype(np.int8), mask=absent))))
    kind = pa.struct([(name, child.type) for name, child in children])
    messages = pa.Array.from_buffers(kind, len(column.roles), [None], children=[child for _, child in children])
    return messages if built.single else _lists(column.offsets, messages)


def _lists(offsets: Any, values: Any) -> Any:
    """Return lists of *values*: those between each two of *offsets*, which begin with the first and end with the last."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int32))]
    return pa.Array.from_buffers(pa.list_(values.type), len(offsets) - 1, buffers, children=[values])


def _narrow(texts: Any) -> Any:
    return texts.cast(pa.string()) if pa.types.is_large_string(texts.type) else texts


def words_within(cell: Cell, path: str) -> list[str]:
    """Return the paths in Parquet, from *path* on, of the texts in *cell* that are few words many times."""
    match cell:
        case Messages():
            return [f"{path}.list.element.{cell.keys.role}"]
        case Message():
            return [f"{path}.{cell.keys.role}"]
        case Constant():
            return [path] if isinstance(cell.value, str) else []
        case System():
            return [path]
        case Fields():
            return [found for key, inner in cell.cells.items() for found in words_within(inner, f"{path}.{key}")]
        case Items():
            return words_within(cell.cells[0], f"{path}.list.element")
        case _:
            return []
