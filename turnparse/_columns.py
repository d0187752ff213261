"""The columns reader: every text of an Arrow column at once, as arithmetic on the column's own offsets.

A column of strings is one buffer and the offsets of its texts; a turn is two more offsets into that buffer. Nothing
here makes a Python object for a row. What it finishes are the *regular* rows: those whose sides differ in their last
turn alone, without a structural code, or with one of the two that it can tell and that the run's policies only count.
Of all others it says only that they are not regular; they are read by the per-row calls, so that what is odd about
a row, and what is done about it, is written once.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._affixes import Affixes
from turnparse._buffers import Kinds, Literals, Mask, Places
from turnparse._contents import TextColumn
from turnparse._markers import MarkerTable, Role

ROLES: Final[tuple[Role, ...]] = ("user", "assistant", "system")
USER: Final = ROLES.index("user")
ASSISTANT: Final = ROLES.index("assistant")

SPACE: Final = ord(" ")
NOT_ASCII: Final = 0x80

WORD_BITS: Final = 3
"""Bits of a place that tell the bytes of a word apart."""

REPEATED: Final = "same-speaker"
SILENT: Final = "empty-response"
REPORTED: Final = (REPEATED, SILENT)
"""The codes of rows that can be finished here all the same, where a run only counts them."""


class Markers:
    """The markers of a flat dialect as bytes, and what the columns reader needs to know of them."""

    def __init__(self, table: MarkerTable) -> None:
        unanchored = table.unanchored
        self.literals = Literals([marker.literal.encode() for marker in unanchored])
        self.lengths: npt.NDArray[np.int64] = np.array([len(literal) for literal in self.literals.literals])
        self.roles: Kinds = np.array([ROLES.index(marker.role) for marker in unanchored], np.int8)
        # Stripped contents are looked at, so what a marker ends in may be gone where it stands last, and the white
        # space that it begins with where it stands first.
        ends = {marker.literal.rstrip() for marker in unanchored if marker.literal[-1:].isspace()}
        heads = ends.union(table.cut_off_heads)
        self.cut_offs = Affixes([head.encode() for head in table.cut_off_heads], at_end=True)
        self.heads = Affixes([head.encode() for head in heads], at_end=True)
        self.whole_heads = sorted({head.lstrip().encode() for head in heads if head[:1].isspace()})
        spaced = [marker.literal for marker in unanchored if marker.literal[:1].isspace()]
        self.bare = Affixes([literal.strip().encode() for literal in spaced], at_end=False)
        self.least_space = min((len(literal) - len(literal.lstrip()) for literal in spaced), default=0)

    def cut_off(self, contents: TextColumn) -> Places:
        """Return the indices of the stripped *contents* that end in a marker cut off after its label, or may do so."""
        found = [self.heads.among(contents)]
        if self.whole_heads:
            lengths = contents.ends - contents.starts
            short = (lengths <= max(map(len, self.whole_heads))).nonzero()[0]
            for head in self.whole_heads if len(short) else ():
                near = short[lengths[short] == len(head)]
                there = contents.data.take(contents.starts[near, None] + np.arange(len(head)), mode="clip")
                found.append(near[(there == np.frombuffer(head, np.uint8)).all(axis=1)])
        return np.concatenate(found)

    def uncovered(self, contents: TextColumn, raw: TextColumn, begins: Places) -> Places:
        """Return the indices of *contents* before which a marker's own white space may have stood.

        Args:
            contents: stripped contents.
            raw: the texts that they are copied from.
            begins: where each begins there, unstripped.
        """
        near = self.bare.among(contents)
        if len(near) and self.least_space > 1:
            # Nearly always it is one space, which is too little.
            second = raw.data.take(begins[near] + 1, mode="clip")
            near = near[(second <= SPACE) | (second >= NOT_ASCII)]
        return near


@attrs.frozen
class ColumnTurns:
    """The turns of a column of texts.

    Attributes:
        column: the texts.
        place: where each marker begins; length turns.
        role: the role that it stands for, an index into `ROLES`; length turns.
        body: where the text after it begins; length turns.
        first: the first turn of each row, and one past the last of the last row; length rows + 1.
        filled: whether each row has any turn; length rows.
        sound: whether each row is turns of Humans and Assistants from its start to its end; length rows.
        regular: whether it has nothing structurally odd about it besides, but for `repeated` and what an empty content
            is; length rows.
        repeated: the rows in which a speaker has two turns in a row, ascending.
    """

    column: TextColumn
    place: Places
    role: Kinds
    body: Places
    first: Places
    filled: Mask
    sound: Mask
    regular: Mask
    repeated: Places

    @cached_property
    def last(self) -> Places:
        """The last turn of each row, of rows that have any; length rows."""
        return self.first[1:] - 1

    @cached_property
    def counts(self) -> Places:
        """How many turns each row has; length rows."""
        return np.diff(self.first)

    @cached_property
    def ends(self) -> Places:
        """One past where the text after each marker ends; length turns."""
        ends = np.empty_like(self.place)
        ends[:-1] = self.place[1:]
        ends[self.last[self.filled]] = self.column.ends[self.filled]
        # Where markers overlap, or go over the end of their text, the row is not regular and its spans do not count.
        np.maximum(ends, self.body, out=ends)
        return ends

    @cached_property
    def contents(self) -> TextColumn:
        """What each turn says; length turns."""
        return self.column.stripped(self.body, self.ends)

    @cached_property
    def inner(self) -> Mask:
        """Whether each turn is not the last of its row; length turns."""
        inner = np.ones(len(self.place), np.bool_)
        inner[self.last[self.filled]] = False
        return inner

    @cached_property
    def inner_contents(self) -> TextColumn:
        """What each turn says that is not the last of its row."""
        # To find the turns takes as long as to fetch what is asked of them, so it is done once.
        inner = self.inner.nonzero()[0]
        return self.column.stripped(self.body.take(inner), self.ends.take(inner))

    @cached_property
    def answers(self) -> TextColumn:
        """What the last turn of each row says; of rows that are not regular, something or other; length rows."""
        if not len(self.place):
            return TextColumn.of(pa.array([""] * len(self.column), pa.string()))
        begins = np.where(self.filled, self.body.take(self.last, mode="clip"), self.column.ends)
        return self.column.stripped_apart(np.minimum(begins, self.column.ends), self.column.ends)


def read_column(column: TextColumn, markers: Markers, *, check: bool = False) -> ColumnTurns:
    """Return the turns of a column of texts.

    Args:
        column: the texts.
        markers: the dialect's.
        check: whether it is still to be seen that they are UTF-8.

    Raises:
        pyarrow.ArrowInvalid: if they are not.
    """
    place, kind = markers.literals.find(column.data, column.check if check else None)
    role = markers.roles.take(kind)
    body = place + markers.lengths.take(kind)
    first = np.append(_firsts(place, column), len(place))
    begin, last = first[:-1], first[1:] - 1
    filled = begin <= last
    if not len(place):
        if check:
            column.check_starts(np.arange(len(column)))
        return ColumnTurns(column, place, role, body, first, filled, filled, filled, first[:0])
    # Rows without a turn have those of a neighbour here; they are not sound whatever these are.
    sound = filled & (place.take(begin, mode="clip") == column.starts)
    if check:
        # Where a marker stands a text begins with a character.
        column.check_starts((~sound).nonzero()[0])
    sound &= body.take(last, mode="clip") <= column.ends
    for odd in (body[:-1] > place[1:], role > ASSISTANT):
        if odd.any():
            sound[rows_of(first, odd.nonzero()[0])] = False
    regular = sound & (role.take(begin, mode="clip") == USER) & (role.take(last, mode="clip") == ASSISTANT)
    again = (role[1:] == role[:-1]).nonzero()[0] + 1
    repeated = rows_of(first, again)
    if len(again):
        repeated = np.unique(repeated[first[repeated] < again])
    return ColumnTurns(column, place, role, body, first, filled, sound, regular, repeated)


def _firsts(place: Places, column: TextColumn) -> Places:
    """Return the first of the markers at *place*, ascending, that does not begin before each text of *column*."""
    # Nearly all texts begin with a marker. Where all do, the markers that stand where a text begins are those asked for:
    # to mark the words in which texts begin, and look at each marker's, takes half the time of a search for each text.
    begins = np.zeros((len(column.data) >> WORD_BITS) + 1, np.bool_)
    begins[column.starts >> WORD_BITS] = True
    first = begins.take(place >> WORD_BITS).nonzero()[0]
    if len(first) == len(column) and (place.take(first) == column.starts).all():
        return first
    return np.searchsorted(place, column.starts)


def rows_of(first: Places, turns: Places) -> Places:
    """Return the row of each of *turns*, where row *i* has the turns ``first[i]`` to ``first[i + 1]``."""
    return np.searchsorted(first, turns, side="right") - 1 if len(turns) else turns


@attrs.frozen
class Finished:
    """What the columns reader says of the rows of a batch.

    Attributes:
        regular: whether each row is regular: it has no structural code but such as are counted; length rows.
        codes: {code that is only counted: the regular rows that carry it, ascending}.
    """

    regular: Mask
    codes: dict[str, Places]

    @classmethod
    def none(cls, rows: int) -> Finished:
        """Return that none of so many *rows* is regular."""
        return cls(np.zeros(rows, np.bool_), {})

    @classmethod
    def of(cls, regular: Mask, codes: dict[str, Places], kept: Collection[str]) -> Finished:
        """Return *regular* without the rows that carry one of *codes* that is not *kept*, and who carries the others."""
        for code, rows in codes.items():
            if code not in kept:
                regular[rows] = False
        return cls(regular, {code: rows[regular[rows]] for code, rows in codes.items() if code in kept})

    @property
    def counts(self) -> dict[str, int]:
        """{code: how many regular rows carry it}."""
        return {code: len(rows) for code, rows in self.codes.items() if len(rows)}

    def without_nulls(self, *arrays: Any) -> Finished:
        """Return the same without the rows that are null in one of *arrays*."""
        if not any(array.null_count for array in arrays):
            return self
        regular = self.regular.copy()
        for array in arrays:
            regular &= array.is_valid().to_numpy(zero_copy_only=False)
        return self.of(regular, self.codes, self.codes)

    def without(self, rows: Places) -> Finished:
        """Return the same without *rows*."""
        if not len(rows):
            return self
        regular = self.regular.copy()
        regular[rows] = False
        return self.of(regular, self.codes, self.codes)


def finish_texts(turns: ColumnTurns, markers: Markers, kept: Collection[str]) -> Finished:
    """Return which rows of a column of single texts are regular.

    Args:
        turns: the column's turns.
        markers: the dialect's.
        kept: which codes of `REPORTED` are only counted.
    """
    regular = turns.regular.copy()
    bare = np.flatnonzero(~turns.contents.filled)
    regular[rows_of(turns.first, bare.compress(turns.inner[bare]))] = False
    silent = rows_of(turns.first, bare.compress(~turns.inner[bare]))
    regular[markers.cut_off(turns.answers)] = False
    return Finished.of(regular, {REPEATED: turns.repeated, SILENT: silent}, kept)


@attrs.frozen
class PairTurns:
    """The turns of two columns of texts that begin alike.

    Attributes:
        turns: the turns of the preferred side.
        responses: the content of the other side's last turn, of rows that are regular; length rows.
        rejected: the texts of the other side.
        seam: where the text of that last turn begins in them; length rows.
        finished: which rows are regular: whose relation is ``last-turn``, besides.
    """

    turns: ColumnTurns
    responses: TextColumn
    rejected: TextColumn
    seam: Places
    finished: Finished


def read_pairs(
    chosen: TextColumn,
    rejected: TextColumn,
    markers: Markers,
    *,
    whole: bool = False,
    kept: Collection[str] = (),
    check: bool = False,
) -> PairTurns:
    """Return the turns of two columns; what the sides of a row share is read once, on the chosen side.

    A row is regular if both sides are the same bytes up to the end of the chosen side's last marker, and no marker
    follows on the rejected side. No marker stands inside another, so none that the chosen side does not have can
    begin before that marker and go beyond it.

    Args:
        chosen: the texts of the preferred side.
        rejected: those of the other.
        markers: the dialect's.
        whole: whether sides will be asked for whole: their turns are then copied together.
        kept: which codes of `REPORTED` are only counted.
        check: whether it is still to be seen that the chosen sides are UTF-8.

    Raises:
        pyarrow.ArrowInvalid: if a chosen side is no UTF-8, or a regular row's rejected side.
    """
    turns = read_column(chosen, markers, check=check)
    regular = turns.regular.copy()
    if not len(turns.place):
        return PairTurns(turns, turns.answers, rejected, rejected.ends, Finished.of(regular, {}, kept))
    prefix = turns.body.take(turns.last, mode="clip") - chosen.starts
    regular &= prefix <= rejected.ends - rejected.starts
    prefix *= regular
    seam = rejected.starts + prefix
    left, right = chosen.spans(chosen.starts, chosen.starts + prefix), rejected.spans(rejected.starts, seam)
    regular &= pc.equal(left, right).to_numpy(zero_copy_only=False)[::2]
    # Elsewhere the seam may lie anywhere, inside a character too.
    odd = ~regular
    seam[odd] = rejected.ends[odd]
    answers, responses = turns.answers, rejected.stripped_apart(seam, rejected.ends)
    # Stripped texts begin with a character, or Arrow would not have stripped them.
    inner, _ = markers.literals.find(responses.data, responses.check)
    regular[rows_of(np.append(responses.starts, len(responses.data)), inner)] = False
    near = markers.uncovered(responses, rejected, seam)
    if len(near):
        tails = TextColumn.of(rejected.spans(seam, rejected.ends).take(pa.array(2 * near)))
        hidden, _ = markers.literals.find(tails.data)
        regular[near[rows_of(np.append(tails.starts, len(tails.data)), hidden)]] = False
    for contents in (answers, responses):
        regular[markers.cut_off(contents)] = False
    if whole:
        bare = np.flatnonzero(~turns.contents.filled)
        bare = bare.compress(turns.inner[bare])
    else:
        bare = np.flatnonzero(~turns.inner_contents.filled)
        bare = np.flatnonzero(turns.inner)[bare] if len(bare) else bare
    regular[rows_of(turns.first, bare)] = False
    regular &= ~pc.equal(answers.array, responses.array).to_numpy(zero_copy_only=False)
    silent = np.flatnonzero(~(answers.filled & responses.filled))
    return PairTurns(
        turns, responses, rejected, seam, Finished.of(regular, {REPEATED: turns.repeated, SILENT: silent}, kept)
    )
