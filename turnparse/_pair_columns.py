"""A second look at odd pairs, by columns: those that no policy does anything about are finished without an object.

Sides that part before their last turns, and codes that a run only counts, need no more than what `turnparse._columns`
finds of each side alone: both sides are read whole, and their turns are compared one by one, all rows at once. Where any
policy is to act the row is left to the per-row calls; what is counted here is what they count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Mask, Places
from turnparse._cells import Part
from turnparse._columns import ASSISTANT, REPEATED, SILENT, ColumnTurns, Markers, read_column, rows_of
from turnparse._contents import TextColumn
from turnparse._message_columns import MessageColumn, ranges, some_messages
from turnparse._parts import is_whole, whole_side
from turnparse._target import Side

LEAST: Final = 8
"""Rows from which a second look costs less than the per-row calls."""

LEAST_BYTES: Final = 1 << 20
"""Bytes from which it does, however few the rows."""

RELATIONS: Final = ("last-turn", "identical", "extends", "uneven", "earlier")


@attrs.frozen
class SecondLook:
    """The rows of a batch that the second look finished.

    Attributes:
        rows: their places in the batch, ascending.
        parts: what these rows say, and maybe others.
        places: where each of *rows* is in *parts*, ascending.
        carries: {code: which of *rows* carry it}.
        relation: how the sides of each of *rows* relate, an index into `RELATIONS`.
    """

    rows: Places
    parts: SecondPairs | None
    places: Places
    carries: dict[str, Mask]
    relation: Places

    @property
    def codes(self) -> dict[str, int]:
        """{code: how many rows carry it}."""
        counts = {code: int(np.count_nonzero(carries)) for code, carries in self.carries.items()}
        return {code: count for code, count in counts.items() if count}

    @property
    def relations(self) -> dict[str, int]:
        """{relation: how many rows have it}."""
        counts = np.bincount(self.relation, minlength=len(RELATIONS)).tolist()
        return {name: count for name, count in zip(RELATIONS, counts, strict=True) if count}

    @classmethod
    def none(cls) -> SecondLook:
        """Return that no row was finished."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, None, nothing, {}, nothing)

    def of(self, left: Mask) -> SecondLook:
        """Return the rows that are *left* alone."""
        if left.all():
            return self
        carries = {code: mask[left] for code, mask in self.carries.items()}
        return SecondLook(self.rows[left], self.parts, self.places[left], carries, self.relation[left])

    def without(self, rows: Collection[int]) -> SecondLook:
        """Return the same without *rows*."""
        return self.of(np.isin(self.rows, list(rows), invert=True))


def worth_it(sides: Sequence[TextColumn], rows: Places) -> bool:
    """Tell whether a second look at *rows* costs less than the per-row calls."""
    if len(rows) >= LEAST or not len(rows):
        return len(rows) >= LEAST
    return sum(int((texts.ends[rows] - texts.starts[rows]).sum()) for texts in sides) >= LEAST_BYTES


def look_again(  # noqa: PLR0917  # what a row is, then what is made of it
    chosen: Any, rejected: Any, rows: Places, markers: Markers, side: Side, counted: Collection[str]
) -> SecondLook:
    """Return which of *rows* can be finished, and what they say.

    Args:
        chosen: the texts of the preferred side of a batch, as a `pyarrow.Array` of type string or large_string.
        rejected: those of the other.
        rows: places in the batch, of rows that are not null, ascending.
        markers: the dialect's.
        side: which side of a pair a target of one conversation takes.
        counted: the codes that no policy acts on.

    Raises:
        pyarrow.ArrowInvalid: if one of the texts is no UTF-8.
    """
    pairs = _Pairs(_turns([texts.take(pa.array(rows)) for texts in (chosen, rejected)], markers), len(rows))
    finished = pairs.of_both(np.logical_and, pairs.turns.sound)
    if not finished.any():
        return SecondLook.none()
    shared, relation = pairs.parted()
    codes = {code: pairs.of_both(np.logical_or, carries) for code, carries in _codes(pairs.turns, markers).items()}
    codes |= {name: relation == kind for kind, name in enumerate(RELATIONS) if kind}
    for code, carries in codes.items():
        if code not in counted:
            finished &= ~carries
    done = finished.nonzero()[0]
    return SecondLook(
        rows.take(done),
        SecondPairs(pairs, shared, side, done),
        np.arange(len(done)),
        {code: carries.take(done) for code, carries in codes.items()},
        relation.take(done),
    )


def _turns(sides: list[Any], markers: Markers) -> ColumnTurns:
    """Return the turns of both *sides* as one column."""
    if sides[0].type != sides[1].type:
        sides = [texts.cast(pa.large_string()) for texts in sides]
    texts = pa.concat_arrays(sides)
    texts.validate(full=True)
    return read_column(TextColumn.of(texts), markers)


@attrs.frozen
class _Pairs:
    """Pairs of texts. Of texts that are not sound all that is said of them is something or other.

    Attributes:
        turns: the turns of a column of all chosen sides, and then all rejected ones.
        rows: how many pairs there are.
    """

    turns: ColumnTurns
    rows: int

    def of_both(self, function: Any, found: Any) -> Any:
        """Return what *function* makes of what was *found* of each chosen side, and of each rejected one."""
        return function(found[: self.rows], found[self.rows :])

    def parted(self) -> tuple[Places, Places]:
        """Return how many leading turns the sides of each pair share, never a side's last, and how they relate.

        The relation is an index into `RELATIONS`.
        """
        turns, rows = self.turns, self.rows
        counts = self.of_both(np.minimum, turns.counts)
        even = self.of_both(np.equal, turns.counts)
        begins = np.cumsum(counts) - counts
        left, right = (ranges(first, counts) for first in (turns.first[:rows], turns.first[rows:-1]))
        same = turns.role.take(left) == turns.role.take(right)
        contents = (turns.contents.array.take(pa.array(index)) for index in (left, right))
        same &= pc.equal(*contents).to_numpy(zero_copy_only=False)
        # One past all of them there is another difference, so that each row has a next one.
        differ = np.append((~same).nonzero()[0], len(same))
        equal = np.minimum(differ.take(np.searchsorted(differ, begins)) - begins, counts)
        shared = np.maximum(np.minimum(equal, counts - 1), 0)
        relation = np.select(
            [(equal == counts) & even, equal == counts, even & (shared == counts - 1), even],
            [RELATIONS.index(name) for name in ("identical", "extends", "last-turn", "earlier")],
            RELATIONS.index("uneven"),
        )
        return shared, relation

    def part(self, shared: Places, part: Part, side: Side) -> tuple[Places, Places]:
        """Return the first turn of a *part* of each pair, and one past its last, where so many turns are *shared*."""
        whole = is_whole(part)
        name = whole_side(part, side) if whole else side if part == "completion" else part
        begin = self.rows if name == "rejected" else 0
        first, end = (self.turns.first[begin + at : begin + at + self.rows] for at in (0, 1))
        if part in ("shared", "prompt"):
            return first, first + shared
        return (first if whole else first + shared), end


@attrs.frozen
class SecondPairs:
    """The pairs that a second look finished.

    Attributes:
        pairs: their texts, and those of others.
        shared: how many leading turns the sides of each share.
        side: the side that counts where only one does.
        done: which of the pairs they are, ascending; length rows.
    """

    pairs: _Pairs
    shared: Places
    side: Side
    done: Places

    def __len__(self) -> int:
        return len(self.done)

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """Both sides of the pairs; each of length rows."""
        column = self.pairs.turns.column
        sides = (self.done, self.done + self.pairs.rows)
        return tuple(
            TextColumn(column.array, column.data, column.starts.take(rows), column.ends.take(rows)) for rows in sides
        )

    def part(self, name: Part) -> MessageColumn:
        """Return the messages of a part of each pair."""
        first, last = (places.take(self.done) for places in self.pairs.part(self.shared, name, self.side))
        return some_messages(self.pairs.turns, first, last - first)


def _codes(turns: ColumnTurns, markers: Markers) -> dict[str, Mask]:
    """Return {code: which texts carry it}; of those that are not sound it says something or other."""
    opens, closes = (turns.role.take(at, mode="clip") == ASSISTANT for at in (turns.first[:-1], turns.last))
    bare = ~turns.contents.filled
    silent = bare.take(turns.last, mode="clip")
    answers = np.searchsorted((turns.role == ASSISTANT).nonzero()[0], turns.first)
    return {
        "starts-with-assistant": opens,
        REPEATED: _among(turns, turns.repeated),
        "empty-turn": _among(turns, rows_of(turns.first, (bare & turns.inner).nonzero()[0])),
        SILENT: silent & closes,
        "dangling-human": silent & ~closes,
        "ends-on-human": ~(silent | closes),
        "no-assistant": answers[1:] == answers[:-1],
        "cut-off-marker": _among(turns, _cut_off(turns, markers)),
    }


def _among(turns: ColumnTurns, rows: Places) -> Mask:
    """Return whether each text is one of *rows*."""
    there = np.zeros(len(turns.column), np.bool_)
    there[rows] = True
    return there


def _cut_off(turns: ColumnTurns, markers: Markers) -> Places:
    """Return the texts that end in a marker cut off after its label."""
    contents = turns.contents
    starts, ends = (places.take(turns.last, mode="clip") for places in (contents.starts, contents.ends))
    near = markers.cut_off(TextColumn(contents.array, contents.data, starts, ends))
    near = np.unique(near.compress(turns.sound.take(near)))
    if not len(near):
        return near
    # What was stripped from the front of a text may be the beginning of what is looked for.
    last = turns.last.take(near)
    tails = turns.column.spans(turns.body.take(last), turns.ends.take(last)).take(pa.array(2 * np.arange(len(near))))
    return near.take(markers.cut_offs.among(TextColumn.of(pc.utf8_rtrim_whitespace(tails))))
