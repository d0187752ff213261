"""Looking for markers in a byte buffer of any number of texts, without an object for each text or marker.

The markers are those of a `MarkerTable`, in UTF-8. A bitmap with one bit for each byte tells where a marker's first two
bytes stand; whole markers are then compared eight bytes at a time. Only texts of some kilobytes each are split faster by
`re`, one by one; a column is split some twenty times as fast like this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]

WORD: Final = 8
"""Bytes compared at a time: what one load of a 64-bit machine takes."""

BITS: Final = 16
"""Bytes of which one number tells where something is among them."""

BLOCK: Final = 1 << 18
"""Bytes looked through at a time: they and what is found in them stay in a core's own cache."""

LINE_END: Final = ord("\r")
"""Of the bytes up to this one, text has line ends and little else: one comparison finds all kinds of these."""

LOWEST_BIT: Final = np.array([max(0, (bits & -bits).bit_length() - 1) for bits in range(1 << 16)], np.int8)
"""{sixteen bits: the place of the lowest that is set}."""


@attrs.frozen
class _Sign:
    """A cheap test that every place where one of some literals stands must pass.

    Attributes:
        byte: the byte there; for literals that open with line ends, `LINE_END`: then the test is that a run of
            bytes up to this one ends there.
        run: how many such bytes there must be at least, 1 or 2; for other literals 0.
    """

    byte: int
    run: int

    @classmethod
    def of(cls, literal: bytes) -> tuple[_Sign, int]:
        """Return the sign of *literal*, and how many of its bytes stand before the place that passes."""
        run = next((at for at, byte in enumerate(literal) if byte > LINE_END), 0)
        return (cls(LINE_END, min(run, 2)), run) if run else (cls(literal[0], 0), 0)

    def places(self, data: Bytes) -> Places:
        """Return the places in *data* that pass, ascending: where the run has ended, or where the byte is."""
        bits = np.zeros(len(data) // BITS + 1, np.uint16)
        passes = np.empty(min(len(data), BLOCK) + 2, np.uint8)
        # Block by block the comparison's result stays in cache, and its memory is asked for only once.
        for begin in range(0, len(data), BLOCK):
            block = data[begin : begin + BLOCK + self.run]
            here = passes[: len(block)]
            if self.run:
                np.less_equal(block, self.byte, out=here.view(np.bool_))
                # Of a run only the last bytes count: a label follows them at once. True > False: here, but no more.
                ended = np.greater(here[self.run - 1 : -1], here[self.run :]).view(np.uint8)
                here = np.bitwise_and(here[: len(ended)], ended, out=ended)
            else:
                np.equal(block, self.byte, out=here.view(np.bool_))
            packed = np.packbits(here[:BLOCK], bitorder="little")
            bits.view(np.uint8)[begin // 8 : begin // 8 + len(packed)] = packed
        return _ones(bits) + self.run


def _ones(bits: npt.NDArray[np.uint16]) -> Places:
    """Return the places of the bits that are set, ascending."""
    index = np.flatnonzero(bits != 0)
    left = bits[index]
    index *= BITS
    found = [index + LOWEST_BIT[left]]
    while True:
        left = left & (left - np.uint16(1))
        more = np.flatnonzero(left)
        if not len(more):
            break
        # Several in sixteen bytes are rare.
        index, left = index[more], left[more]
        found.append(index + LOWEST_BIT[left])
    # Two ascending runs: the stable sort merges them.
    return np.sort(np.concatenate(found), kind="stable") if len(found) > 1 else found[0]


def _words(data: Bytes) -> npt.NDArray[Any]:
    """Return the word that begins at each byte of *data*, without copying; there must be at least one."""
    return np.ndarray((len(data) - WORD + 1,), np.uint64, data, strides=(1,))


def _word(part: bytes) -> Any:
    return np.frombuffer(part.ljust(WORD, b"\0"), np.uint64)[0]


class Literals:
    """Byte strings to be found.

    Args:
        literals: the strings, none empty, at most 127, none of which begins with another.
    """

    def __init__(self, literals: Sequence[bytes]) -> None:
        self.literals = list(literals)
        self._reach = max(WORD, *map(len, literals))
        self._signs: dict[_Sign, dict[int, list[int]]] = {}
        for kind, literal in enumerate(self.literals):
            sign, before = _Sign.of(literal)
            self._signs.setdefault(sign, {}).setdefault(before, []).append(kind)

    def find(self, data: Bytes) -> tuple[Places, Kinds]:
        """Return where the literals stand in *data*, ascending, and which each is, as an index."""
        found = [self._confirmed(data, sign.places(data), groups) for sign, groups in self._signs.items()]
        if len(found) == 1:
            return found[0]
        places = np.concatenate([place for place, _ in found])
        order = np.argsort(places, kind="stable")
        return places[order], np.concatenate([kind for _, kind in found])[order]

    def _confirmed(self, data: Bytes, signs: Places, groups: dict[int, list[int]]) -> tuple[Places, Kinds]:
        """Return where the literals of *groups* stand around the places *signs*, ascending, and which each is.

        Args:
            data: the bytes.
            signs: the places that pass a sign, ascending.
            groups: {how many bytes of a literal stand before such a place: literals}.
        """
        places, kinds = [], []
        for before, members in sorted(groups.items()):
            at = signs - before
            begin = int(np.searchsorted(at, 0))
            kind = self._kinds(data, at[begin:], members)
            standing = kind >= 0
            if begin == 0 and standing.all():
                # Nothing is left that another group could find.
                places.append(at)
                kinds.append(kind)
                break
            places.append(at[begin:][standing])
            kinds.append(kind[standing])
            signs = np.concatenate([signs[:begin], signs[begin:][~standing]])
        if sum(map(bool, map(len, places))) <= 1:
            some = max(range(len(places)), key=lambda group: len(places[group]))
            return places[some], kinds[some]
        place = np.concatenate(places)
        order = np.argsort(place, kind="stable")
        return place[order], np.concatenate(kinds)[order]

    def _kinds(self, data: Bytes, at: Places, members: list[int]) -> Kinds:
        """Return which of the literals *members* stands at each of the places *at*, ascending; -1 where none does."""
        kind = np.full(len(at), -1, np.int8)
        inside = int(np.searchsorted(at, len(data) - self._reach, side="right"))
        if inside:
            words = _words(data)
            first = words[at[:inside]]
            for member in members:
                self._mark(words, at, first, member, kind[:inside])
        # Near the end of a buffer there is no whole word to load: a handful of places.
        for index in range(inside, len(at)):
            rest = data[at[index] : at[index] + self._reach].tobytes()
            kind[index] = next((member for member in members if rest.startswith(self.literals[member])), -1)
        return kind

    def _mark(self, words: npt.NDArray[Any], at: Places, first: npt.NDArray[Any], member: int, kind: Kinds) -> None:
        """Write into *kind* where the literal *member* stands, given the *first* word at each place."""
        literal = self.literals[member]
        size = len(literal)
        if size <= WORD:
            mask = _word(b"\xff" * size)
            kind[(first if size == WORD else first & mask) == _word(literal)] = member
            return
        hits = np.flatnonzero(first == _word(literal[:WORD]))
        # The last word may overlap the one before it.
        for offset in (*range(WORD, size - WORD, WORD), size - WORD):
            same = words[at[hits] + offset] == _word(literal[offset : offset + WORD])
            if not same.all():
                hits = hits[same]
        kind[hits] = member
