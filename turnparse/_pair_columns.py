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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Mask, Places
from turnparse._columns import ASSISTANT, REPEATED, ROLES, SILENT, ColumnTurns, Markers, read_column, rows_of
from turnparse._contents import TextColumn
from turnparse._message_columns import ranges, some_messages
from turnparse._target import Part, Side, Target

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
    left, right = (_turns(texts.take(pa.array(rows)), markers) for texts in (chosen, rejected))
    finished = left.sound & right.sound
    if not finished.any():
        return SecondLook.none()
    shared, relation = _parted(left, right)
    codes = _codes(left, markers)
    for code, carries in _codes(right, markers).items():
        codes[code] |= carries
    codes |= {name: relation == kind for kind, name in enumerate(RELATIONS) if kind}
    codes["target-rule"] = _broken(left, right, shared, target, side)
    for code, carries in codes.items():
        if code not in counted:
            finished &= ~carries
    done = finished.nonzero()[0]
    counts = {code: int(np.count_nonzero(carries & finished)) for code, carries in codes.items()}
    relations = np.bincount(relation[done], minlength=len(RELATIONS)).tolist()
    columns = []
    for part in target.columns.values() if len(done) else ():
        turns, first, last = _part(left, right, shared, part, side)
        columns.append(some_messages(turns, first[done], (last - first)[done]))
    return SecondLook(
        rows[done],
        columns,
        {code: count for code, count in counts.items() if count},
        {name: count for name, count in zip(RELATIONS, relations, strict=True) if count},
    )


def _turns(texts: Any, markers: Markers) -> ColumnTurns:
    texts.validate(full=True)
    return read_column(TextColumn.of(texts), markers)


def _parted(left: ColumnTurns, right: ColumnTurns) -> tuple[Places, npt.NDArray[np.int64]]:
    """Return how many leading turns the sides of each row share, never a side's last, and how they relate.

    The relation is an index into `RELATIONS`; of rows that are not sound both are something or other.
    """
    counts = np.minimum(left.counts, right.counts)
    both = ranges(np.zeros_like(counts), counts)
    begins = np.cumsum(counts) - counts
    one, other = both + np.repeat(left.first[:-1], counts), both + np.repeat(right.first[:-1], counts)
    same = left.role.take(one) == right.role.take(other)
    contents = (turns.contents.array.take(pa.array(index)) for turns, index in ((left, one), (right, other)))
    same &= pc.equal(*contents).to_numpy(zero_copy_only=False)
    # One past all of them there is another difference, so that each row has a next one.
    differ = np.append((~same).nonzero()[0], len(same))
    equal = np.minimum(differ[np.searchsorted(differ, begins)] - begins, counts)
    shared = np.maximum(np.minimum(equal, counts - 1), 0)
    even = left.counts == right.counts
    relation = np.select(
        [(equal == counts) & even, equal == counts, even & (shared == counts - 1), even],
        [RELATIONS.index(name) for name in ("identical", "extends", "last-turn", "earlier")],
        RELATIONS.index("uneven"),
    )
    return shared, relation


def _codes(turns: ColumnTurns, markers: Markers) -> dict[str, Mask]:
    """Return {code: which rows of one side carry it}; of rows that are not sound it says something or other."""
    first, last = turns.first[:-1], turns.last
    opens, closes = (turns.role.take(at, mode="clip") == ASSISTANT for at in (first, last))
    bare = ~turns.contents.filled
    silent = bare.take(last, mode="clip")
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
    """Return whether each row is one of *rows*."""
    there = np.zeros(len(turns.column), np.bool_)
    there[rows] = True
    return there


def _cut_off(turns: ColumnTurns, markers: Markers) -> Places:
    """Return the rows that end in a marker cut off after its label."""
    contents, last = turns.contents, turns.last
    starts, ends = (places.take(last, mode="clip") for places in (contents.starts, contents.ends))
    near = np.unique(markers.cut_off(TextColumn(contents.array, contents.data, starts, ends)))
    near = near[turns.sound[near]]
    if not len(near):
        return near
    spans = turns.column.spans(*(places[last[near]] for places in (turns.body, turns.ends)))
    tails = pc.utf8_rtrim_whitespace(spans.take(pa.array(2 * np.arange(len(near)))))
    found = np.zeros(len(near), np.bool_)
    for head in markers.cut_off_heads:
        found |= pc.ends_with(tails, head).to_numpy(zero_copy_only=False)
    return near[found]


def _part(
    left: ColumnTurns, right: ColumnTurns, shared: Places, part: Part, side: Side
) -> tuple[ColumnTurns, Places, Places]:
    """Return the turns of which *part* of each pair is some, and of each row the first and one past the last."""
    if part == "shared":
        return left, left.first[:-1], left.first[:-1] + shared
    name = side if part == "conversation" else part.removeprefix("whole-")
    turns = left if name == "chosen" else right
    return turns, turns.first[:-1] + (shared if part == name else 0), turns.first[1:]


def _broken(left: ColumnTurns, right: ColumnTurns, shared: Places, target: Target, side: Side) -> Mask:
    """Return which rows break a rule of *target*; of rows that are not sound it says something or other."""
    broken = np.zeros(len(shared), np.bool_)
    for rule in target.rules:
        turns, first, last = _part(left, right, shared, rule.part, side)
        right_role = np.array([role in rule.ends_with for role in ROLES])
        broken |= (first == last) | ~right_role.take(turns.role.take(last - 1, mode="clip"))
    return broken
