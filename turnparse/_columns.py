"""The columns reader: every text of an Arrow column at once, as arithmetic on the column's own offsets.

A column of strings is one buffer and the offsets of its texts; a turn is two more offsets into that buffer. Nothing
here makes a Python object for a row. What it finishes are the *regular* rows: those without a structural code, whose
sides differ in their last turn alone. Of all others it says only that they are not regular; they are read by
the per-row calls, so that what is odd about a row, and what is done about it, is written once.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Bytes, Kinds, Literals, Mask, Places
from turnparse._markers import MarkerTable, Role

ROLES: Final[tuple[Role, ...]] = ("user", "assistant", "system")
USER: Final = ROLES.index("user")
ASSISTANT: Final = ROLES.index("assistant")


def _edges() -> tuple[Kinds, Mask]:
    """Return what the first two bytes of a text, and its last byte, say of the white space around it.

    Returns:
        For each pair of bytes, as one little-endian number: how many spaces to skip before a text that begins with
        them, 0 or 1, or 2 if that takes a closer look; and for each byte whether a text that ends in it surely ends
        in no white space.
    """
    white = [chr(code).encode() for code in range(WHITE_END) if chr(code).isspace()]
    begins, ends = np.ones((2, 256), np.bool_)
    begins[[encoded[0] for encoded in white]] = False
    ends[[encoded[-1] for encoded in white]] = False
    lead = np.where(begins, np.int8(0), np.int8(2))[None, :].repeat(256, axis=0)
    lead[:, ord(" ")] = np.where(begins, 1, 2)
    return lead.reshape(-1), ends


WHITE_END: Final = 0x3001
"""One past the last white space character that there is."""

LEAD, ENDS_SOLID = _edges()


@attrs.frozen
class TextColumn:
    """The texts of a column of strings as bytes.

    Attributes:
        array: the column, of type string or large_string, sliced or not.
        data: the bytes of all its texts, one behind the other.
        starts: where each text begins in *data*; length rows.
        ends: one past where it ends; length rows.
    """

    array: Any
    data: Bytes
    starts: Places
    ends: Places

    @classmethod
    def of(cls, array: Any) -> TextColumn:
        """Return the texts of *array*, a `pyarrow.Array` of type string or large_string; nulls are empty texts."""
        large = pa.types.is_large_string(array.type)
        _, offset_buffer, data_buffer = array.buffers()
        if len(array) == 0 or offset_buffer is None:
            return cls(array, np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
        width = np.int64 if large else np.int32
        offsets = np.frombuffer(offset_buffer, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
        data = data[offsets[0] : offsets[-1]]
        offsets -= offsets[0]
        return cls(array, data, offsets[:-1], offsets[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def spans(self, begins: Places, ends: Places) -> Any:
        """Return the bytes between *begins* and *ends*, ascending, as a `pyarrow.Array`, without copying.

        Its even elements are these spans, its odd ones what lies between them.
        """
        offsets = np.empty(2 * len(begins) + 1, np.int64)
        offsets[0:-1:2] = begins
        offsets[1::2] = ends
        offsets[-1] = len(self.data)
        large = len(self.data) > np.iinfo(np.int32).max
        kind, width = (pa.large_string(), np.int64) if large else (pa.string(), np.int32)
        buffers = [None, pa.py_buffer(offsets.astype(width)), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(kind, 2 * len(begins), buffers)

    @staticmethod
    def taken(spans: Any, index: Places) -> Any:
        """Return, copied, those of *spans*, as the method of that name gives them, that *index* names."""
        return spans.take(pa.array(2 * index))


@attrs.frozen
class Contents:
    """Where contents stand once stripped.

    Attributes:
        begins: where each begins.
        ends: one past where it ends.
        unusual: the indices of those that had other white space around them than one space before, or none.
    """

    begins: Places
    ends: Places
    unusual: Places


def strip(column: TextColumn, begins: Places, ends: Places) -> Contents:
    """Return the spans from *begins* to *ends* without surrounding white space, exactly as `str.strip` does it."""
    if not len(begins) or not len(column.data):
        return Contents(begins, ends, begins[:0])
    data = column.data
    # The first two bytes at once; a text at the very end of the buffer may have fewer, and takes a closer look.
    pairs = np.ndarray((max(0, len(data) - 1),), "<u2", data, strides=(1,))
    inside = int(np.searchsorted(begins, len(pairs)))
    lead = np.full(len(begins), 2, np.int8)
    lead[:inside] = LEAD[pairs[begins[:inside]]]
    solid = (lead < 2) & ENDS_SOLID[data[ends - 1]]  # noqa: PLR2004  # as `LEAD` says
    begins = begins + (lead == 1)
    solid &= begins < ends
    unusual = np.flatnonzero(~solid)
    if len(unusual):
        # Arrow's white space is Python's: a test compares the two for every character there is.
        begins, ends = np.minimum(begins, ends), ends.copy()
        texts = column.taken(column.spans(begins[unusual], ends[unusual]), np.arange(len(unusual)))
        left = pc.utf8_ltrim_whitespace(texts)
        begins[unusual] += _lengths(texts) - _lengths(left)
        ends[unusual] = begins[unusual] + _lengths(pc.utf8_rtrim_whitespace(left))
    return Contents(begins, ends, unusual)


def _lengths(texts: Any) -> Places:
    lengths: Places = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


class Markers:
    """The markers of a flat dialect as bytes, and what the columns reader needs to know of them."""

    def __init__(self, table: MarkerTable) -> None:
        unanchored = table.unanchored
        self.literals = Literals([marker.literal.encode() for marker in unanchored])
        self.lengths: npt.NDArray[np.int64] = np.array([len(literal) for literal in self.literals.literals])
        self.roles: Kinds = np.array([ROLES.index(marker.role) for marker in unanchored], np.int8)
        self.heads = [head.encode() for head in table.cut_off_heads]
        self.head_ends = np.zeros(256, np.bool_)
        self.head_ends[[head[-1] for head in self.heads]] = True
        self.bare = list({literal.lstrip() for literal in self.literals.literals if literal[:1].isspace()})

    def cut_off(self, column: TextColumn, begins: Places, ends: Places) -> Places:
        """Return the indices of the spans that end in a marker cut off after its label."""
        if not len(column.data):
            return begins[:0]
        near = np.flatnonzero(self.head_ends[column.data[ends - 1]])
        found = [near[:0]]
        for head in self.heads:
            at = ends[near] - len(head)
            found.append(near[_standing(column.data, at, head) & (at >= begins[near])])
        return np.concatenate(found)

    def uncovered(self, column: TextColumn, contents: Contents) -> Places:
        """Return the indices of contents before which a marker's own white space may have been stripped."""
        index = contents.unusual
        found = [index[_standing(column.data, contents.begins[index], bare)] for bare in self.bare]
        return np.concatenate([index[:0], *found])


def _standing(data: Bytes, at: Places, literal: bytes) -> Mask:
    """Return, for each of the places *at*, whether the bytes *literal* stand there."""
    standing = np.zeros(len(at), np.bool_)
    # Few places come here, so their bytes are laid side by side.
    inside = np.flatnonzero((at >= 0) & (at + len(literal) <= len(data)))
    if len(inside):
        bytes_there = data[at[inside, None] + np.arange(len(literal))]
        standing[inside] = (bytes_there == np.frombuffer(literal, np.uint8)).all(axis=1)
    return standing


@attrs.frozen
class ColumnTurns:
    """The turns of a column of texts.

    Attributes:
        column: the texts.
        place: where each marker begins; length turns.
        role: the role that it stands for, an index into `ROLES`; length turns.
        body: where the text after it begins; length turns.
        contents: where the contents stand; length turns.
        first: the first turn of each row, and one past the last of the last row; length rows + 1.
        regular: whether each row has nothing structurally odd about it; length rows.
    """

    column: TextColumn
    place: Places
    role: Kinds
    body: Places
    contents: Contents
    first: Places
    regular: Mask

    @cached_property
    def last(self) -> Places:
        """The last turn of each row, of rows that have any; length rows."""
        return self.first[1:] - 1

    @cached_property
    def spans(self) -> Any:
        """The contents, uncopied; see `TextColumn.spans`."""
        return self.column.spans(self.contents.begins, self.contents.ends)

    @cached_property
    def counts(self) -> Places:
        """How many turns each row has; length rows."""
        return np.diff(self.first)


def read_column(column: TextColumn, markers: Markers) -> ColumnTurns:
    """Return the turns of a column of texts."""
    place, kind = markers.literals.find(column.data)
    role = markers.roles[kind]
    body = place + markers.lengths[kind]
    first = np.searchsorted(place, column.starts)
    first = np.append(first, len(place)).astype(np.int64)
    filled = first[1:] > first[:-1]
    ends = np.append(place[1:], len(column.data))
    last = first[1:][filled] - 1
    ends[last] = column.ends[filled]
    # Where markers overlap, or go over the end of their text, the row is not regular and its spans do not count.
    broken = np.flatnonzero(body > ends)
    ends[broken] = body[broken] if len(broken) else 0
    ends = np.minimum(ends, len(column.data))
    body = np.minimum(body, ends)
    contents = strip(column, body, ends)
    regular = filled.copy()
    regular[filled] &= place[first[:-1][filled]] == column.starts[filled]
    regular[filled] &= (role[first[:-1][filled]] == USER) & (role[last] == ASSISTANT)
    repeated = np.flatnonzero(role[1:] == role[:-1]) + 1
    odd = [
        broken,
        repeated,
        np.flatnonzero(role > ASSISTANT),
        np.flatnonzero(contents.begins >= contents.ends),
        last[markers.cut_off(column, body[last], contents.ends[last])],
    ]
    regular[rows_of(first, np.concatenate(odd))] = False
    return ColumnTurns(column, place, role, body, contents, first, regular)


def rows_of(first: Places, turns: Places) -> Places:
    """Return the row of each of *turns*, where row *i* has the turns ``first[i]`` to ``first[i + 1]``."""
    return np.searchsorted(first, turns, side="right") - 1


@attrs.frozen
class PairTurns:
    """The turns of two columns of texts that begin alike.

    Attributes:
        turns: the turns of the preferred side.
        chosen: the content of its last turn, of rows that are regular; a `pyarrow.Array`, length rows.
        rejected: the content of the other side's last turn, likewise.
        rejected_column: the texts of the other side.
        tail: where the content of that last turn stands in them; length rows.
        regular: whether each row has no structural code on either side, and the relation ``last-turn``; length rows.
    """

    turns: ColumnTurns
    chosen: Any
    rejected: Any
    rejected_column: TextColumn
    tail: Contents
    regular: Mask


def read_pairs(chosen: TextColumn, rejected: TextColumn, markers: Markers) -> PairTurns:
    """Return the turns of two columns; what the sides of a row share is read once, on the chosen side.

    A row is regular if both sides are the same bytes up to the end of the chosen side's last marker, and no marker
    follows on the rejected side. No marker stands inside another, so none that the chosen side does not have can
    begin before that marker and go beyond it.
    """
    turns = read_column(chosen, markers)
    regular = turns.regular.copy()
    lengths = rejected.ends - rejected.starts
    prefix = np.zeros(len(chosen), np.int64)
    rows = np.flatnonzero(regular)
    prefix[rows] = turns.body[turns.last[rows]] - chosen.starts[rows]
    regular &= prefix <= lengths
    prefix = np.minimum(prefix, lengths)
    seam = rejected.starts + prefix
    same = pc.equal(
        chosen.spans(chosen.starts, chosen.starts + prefix), rejected.spans(rejected.starts, seam)
    ).to_numpy(zero_copy_only=False)[::2]
    regular &= same
    # Elsewhere the seam may lie anywhere, inside a character too.
    seam[~regular] = rejected.ends[~regular]
    tail = strip(rejected, seam, rejected.ends)
    regular &= tail.begins < tail.ends
    regular[markers.cut_off(rejected, seam, tail.ends)] = False
    regular[markers.uncovered(rejected, tail)] = False
    every = np.arange(len(rejected))
    responses = rejected.taken(rejected.spans(tail.begins, np.maximum(tail.begins, tail.ends)), every)
    copied = TextColumn.of(responses)
    inner, _ = markers.literals.find(copied.data)
    if len(inner):
        regular[rows_of(np.append(copied.starts, len(copied.data)), inner)] = False
    if len(turns.place):
        answers = chosen.taken(turns.spans, np.maximum(turns.last, 0))
        regular &= ~pc.equal(answers, responses).to_numpy(zero_copy_only=False)
    else:
        answers = responses
    return PairTurns(turns, answers, responses, rejected, tail, regular)
