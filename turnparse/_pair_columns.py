"""A second look at odd pairs, by columns: those that no policy does anything about are finished without an object.

Sides that part before their last turns, and codes that a run only counts, need no more than what `turnparse._columns`
finds of each side alone: both sides are read whole, and their turns are compared one by one, all rows at once. Where any
policy is to act the row is left to the per-row calls; what is counted here is what they count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Mask, Places
from turnparse._columns import ASSISTANT, REPEATED, ROLES, SILENT, ColumnTurns, Markers, read_column, rows_of
from turnparse._contents import TextColumn
from turnparse._message_columns import ranges, some_messages
from turnparse._target import Part, Rule, Side, Target

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
        columns: the target's columns, and metadata if the batch has it, of these rows alone.
        codes: {code: how many of them carry it}.
        relations: {relation: how many of them have it}.
    """

    rows: Places
    columns: list[Any]
    codes: dict[str, int]
    relations: dict[str, int]

    @classmethod
    def none(cls) -> SecondLook:
        """Return that no row was finished."""
        return cls(np.empty(0, np.int64), [], {}, {})

    def without(self, rows: Collection[int]) -> SecondLook:
        """Return the same without *rows*, which are counted still."""
        left = np.isin(self.rows, list(rows), invert=True)
        columns = [column.filter(pa.array(left)) for column in self.columns]
        return attrs.evolve(self, rows=self.rows[left], columns=columns)


def worth_it(sides: Sequence[TextColumn], rows: Places) -> bool:
    """Tell whether a second look at *rows* costs less than the per-row calls."""
    if len(rows) >= LEAST or not len(rows):
        return len(rows) >= LEAST
    return sum(int((texts.ends[rows] - texts.starts[rows]).sum()) for texts in sides) >= LEAST_BYTES


def look_again(  # noqa: PLR0917  # what a row is, then what is made of it
    chosen: Any, rejected: Any, rows: Places, markers: Markers, target: Target, side: Side, counted: Collection[str]
) -> SecondLook:
    """Return which of *rows* can be finished, and their columns.

    Args:
        chosen: the texts of the preferred side of a batch, as a `pyarrow.Array` of type string or large_string.
        rejected: those of the other.
        rows: places in the batch, of rows that are not null, ascending.
        markers: the dialect's.
        target: what the rows are written for; it takes pairs.
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
    codes["target-rule"] = pairs.broken(shared, target.rules, side)
    for code, carries in codes.items():
        if code not in counted:
            finished &= ~carries
    done = finished.nonzero()[0]
    counts = {code: int(np.count_nonzero(carries.take(done))) for code, carries in codes.items()}
    relations = np.bincount(relation.take(done), minlength=len(RELATIONS)).tolist()
    columns = []
    for part in target.columns.values():
        first, last = pairs.part(shared, part, side)
        first = first.take(done)
        columns.append(some_messages(pairs.turns, first, last.take(done) - first))
    return SecondLook(
        rows.take(done),
        columns,
        {code: count for code, count in counts.items() if count},
        {name: count for name, count in zip(RELATIONS, relations, strict=True) if count},
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
        name = side if part == "conversation" else part.removeprefix("whole-")
        begin = self.rows if name == "rejected" else 0
        first, end = (self.turns.first[begin + at : begin + at + self.rows] for at in (0, 1))
        if part == "shared":
            return first, first + shared
        return (first + shared if part == name else first), end

    def broken(self, shared: Places, rules: Iterable[Rule], side: Side) -> Mask:
        """Return which pairs break one of *rules*."""
        broken = np.zeros(self.rows, np.bool_)
        for rule in rules:
            first, end = self.part(shared, rule.part, side)
            wrong = np.array([role not in rule.ends_with for role in ROLES])
            broken |= (first == end) | wrong.take(self.turns.role.take(end - 1, mode="clip"))
        return broken


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
