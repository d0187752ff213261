"""Looking for markers in a byte buffer of any number of texts, without an object for each text or marker.

The markers are those of a `MarkerTable`, in UTF-8. A bitmap with one bit for each byte tells where a marker's first two
bytes may stand: the data is read once for that, and all else is done with an eighth of it, or less. Whole markers are
then compared eight bytes at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

WORD: Final = 8
"""Bytes compared at a time: what one load of a 64-bit machine takes."""

BITS: Final = 16
"""Bytes of which one number tells where something is among them."""

BLOCK: Final = 1 << 17
"""Bytes compared at a time: the result stays in a core's own cache until its bits are packed."""

STRETCH: Final = 1 << 19
"""Bytes whose bits are looked through at a time: what that needs is small enough that no memory is asked for anew."""

LINE_END: Final = ord("\r")
"""Of the bytes up to this one, text has line ends and little else: one comparison finds all kinds of these."""

LOWEST_BIT: Final = np.array([max(0, (bits & -bits).bit_length() - 1) for bits in range(1 << 16)], np.int8)
"""{sixteen bits: the place of the lowest that is set}."""

ONE: Final = np.uint64(1)
TOP: Final = np.uint64(63)


class _Scratch(threading.local):
    """Memory that each thread has for itself: what is asked for anew in every call costs its page faults anew."""

    def __init__(self) -> None:
        self.passes: Mask = np.empty(BLOCK, np.bool_)


_SCRATCH: Final = _Scratch()


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
        bits = self._bits(data)
        found = []
        for begin in range(0, len(bits), STRETCH // 64):
            places = _ones(self._ended(bits, begin, begin + STRETCH // 64) if self.run else bits[begin : begin + STRETCH // 64])
            places += 64 * begin + (self.run > 0)
            found.append(places)
        return np.concatenate(found) if len(found) > 1 else found[0]

    def _ended(self, bits: Words, begin: int, end: int) -> Words:
        """Return of *bits*, from *begin* to *end*, those where a run ends: in a run, with none after them."""
        these = bits[begin:end]
        # Of a run only its last byte counts: a label follows it at once.
        after = these >> ONE
        after[: len(bits) - begin - 1] |= bits[begin + 1 : end + 1] << TOP
        ended = np.invert(after, out=after)
        ended &= these
        if self.run > 1:
            before = these << ONE
            before[1:] |= these[:-1] >> TOP
            if begin:
                before[0] |= bits[begin - 1] >> TOP
            ended &= before
        return ended

    def _bits(self, data: Bytes) -> Words:
        """Return one bit for each byte of *data*, the lowest first: whether it is the byte, or in a run."""
        bits = np.empty(len(data) // 64 + 1, np.uint64)
        bits[len(data) // 64 :] = 0
        packed = bits.view(np.uint8)
        passes = np.less_equal if self.run else np.equal
        for begin in range(0, len(data), BLOCK):
            block = data[begin : begin + BLOCK]
            here = passes(block, self.byte, out=_SCRATCH.passes[: len(block)])
            some = np.packbits(here, bitorder="little")
            packed[begin // 8 : begin // 8 + len(some)] = some
        return bits


def _ones(bits: Words) -> Places:
    """Return the places of the bits that are set, ascending."""
    halves = bits.view(np.uint16)
    index = (halves != 0).nonzero()[0]
    left = halves.take(index)
    index *= BITS
    places = index + LOWEST_BIT.take(left)
    left &= left - np.uint16(1)
    if not left.any():
        return places
    found = [places]
    # Several in sixteen bytes are rare.
    while len(more := (left != 0).nonzero()[0]):
        index, left = index[more], left[more]
        found.append(index + LOWEST_BIT.take(left))
        left &= left - np.uint16(1)
    # Ascending runs: the stable sort merges them.
    return np.sort(np.concatenate(found), kind="stable")


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
            at = signs - before if before else signs
            # Before the first few bytes of a buffer no literal has room.
            begin = int(np.searchsorted(at, 0)) if len(at) and at[0] < 0 else 0
            if places and not self._begun(data, at[begin:], members):
                continue
            kind = self._kinds(data, at[begin:], members)
            standing = kind >= 0
            places.append(at[begin:].compress(standing))
            kinds.append(kind.compress(standing))
            if len(places[-1]) == len(at):
                # Nothing is left that another group could find.
                break
            signs = np.concatenate([signs[:begin], signs[begin:].compress(~standing)])
        filled = [group for group, found in enumerate(places) if len(found)]
        if len(filled) <= 1:
            some = filled[0] if filled else 0
            return places[some], kinds[some]
        place = np.concatenate(places)
        order = np.argsort(place, kind="stable")
        return place[order], np.concatenate(kinds)[order]

    def _begun(self, data: Bytes, at: Places, members: list[int]) -> bool:
        """Tell whether the first byte of one of the literals *members* stands at any of the places *at*."""
        first = data.take(at)
        return any((first == byte).any() for byte in {self.literals[member][0] for member in members})

    def _kinds(self, data: Bytes, at: Places, members: list[int]) -> Kinds:
        """Return which of the literals *members* stands at each of the places *at*, ascending; -1 where none does."""
        last = len(data) - self._reach
        inside = len(at) if len(at) and at[-1] <= last else int(np.searchsorted(at, last, side="right"))
        # Counted from 1, so that a sum of comparisons tells them all: no literal begins with another.
        kind = np.zeros(len(at), np.int8)
        if inside:
            words = _words(data)
            first = words[at[:inside]]
            for member in members:
                same = self._standing(words, at, first, member).view(np.int8)
                kind[:inside] += same * np.int8(member + 1)
        # Near the end of a buffer there is no whole word to load: a handful of places.
        for index in range(inside, len(at)):
            rest = data[at[index] : at[index] + self._reach].tobytes()
            kind[index] = next((member + 1 for member in members if rest.startswith(self.literals[member])), 0)
        kind -= 1
        return kind

    def _standing(self, words: npt.NDArray[Any], at: Places, first: npt.NDArray[Any], member: int) -> Mask:
        """Return whether the literal *member* stands at each of the places *at*, given the *first* word there."""
        literal = self.literals[member]
        size = len(literal)
        if size < WORD:
            first = first & _word(b"\xff" * size)
        standing: Mask = first == _word(literal[:WORD])
        if size > WORD:
            hits = standing.nonzero()[0]
            # The last word may overlap the one before it.
            for offset in (*range(WORD, size - WORD, WORD), size - WORD):
                same = words[at[hits] + offset] == _word(literal[offset : offset + WORD])
                if not same.all():
                    standing[hits[~same]] = False
                    hits = hits[same]
        return standing
