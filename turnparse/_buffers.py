"""Looking for markers in a byte buffer of any number of texts, without an object for each text or marker.

The markers are those of a `MarkerTable`, in UTF-8. The data is read once, to find the places of one byte that all markers have and
text seldom has, such as a colon; then the eight bytes that end there are compared at once, and what is left of a marker
where these are right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Check = Callable[[int, int], object]
Words = npt.NDArray[np.uint64]

WORD: Final = 8
"""Bytes compared at a time: what one load of a 64-bit machine takes."""

SPAN: Final = 2 * WORD
"""Bytes looked at around a sign: to fetch two words costs no more than to fetch one."""

BLOCK: Final = 1 << 18
"""Bytes compared at a time: the result stays in a core's own cache until its bits are packed."""

STRETCH: Final = 1 << 21
"""Bytes looked through at a time: all that this takes is small enough that no memory need be asked for anew."""

KEPT: Final = (1 << 25) - (1 << 13)
"""Bytes of the largest block whose release makes glibc's allocator keep such blocks for the next call; see `keep_memory`."""

ALL: Final = (1 << 64) - 1
"""All bits of a word."""

GROUP: Final = 32
"""Bytes of which one number tells where something is among them."""

DENSE: Final = 4
"""Where more than one group in so many has something in it, bits are unpacked rather than taken one by one."""


def keep_memory() -> None:
    """Have the C library keep the memory of arrays that are let go, rather than give it back and ask for it anew.

    glibc raises its bounds for that, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3), to the largest block that was
    released so far, 32 MiB at most. This releases one at once, which no page was ever touched of. Without it, a
    fifteenth of the time goes into page faults; elsewhere it does nothing.
    """
    np.empty(KEPT, np.uint8)


class _Scratch(threading.local):
    """Memory that each thread has for itself: what is asked for anew in every call costs its page faults anew."""

    def __init__(self) -> None:
        self.passes: Mask = np.empty(BLOCK, np.bool_)


_SCRATCH: Final = _Scratch()


def _rarity(byte: int) -> int:
    """Return how often *byte* stands in text, roughly: 0 for signs of all kinds, 4 for small letters."""
    char = chr(byte)
    if char.isdigit() or char in ".,'-\"":
        return 1
    if char.isascii() and char.isupper():
        return 2
    if char in "\r\n":
        return 3
    return 4 if char == " " or char.isalpha() or not char.isascii() else 0


def _signs(literals: Sequence[bytes]) -> list[int]:
    """Return one byte of each literal by which to look for it: rare in text, and the same in many of *literals*."""

    def cost(byte: int) -> tuple[int, int, int]:
        return _rarity(byte), -sum(byte in literal for literal in literals), byte

    return [min(literal, key=cost) for literal in literals]


def _places(data: Bytes, byte: int, before: Mask) -> Places:
    """Return the places of *byte* in *data*, ascending; where there are many, only such as may matter.

    Args:
        data: the bytes.
        byte: the byte to look for.
        before: whether each byte may stand before it.
    """
    bits = _bits(data, byte)
    groups = bits.view(np.uint32)
    if DENSE * np.count_nonzero(groups) > len(groups) > DENSE:
        # Of a byte at the very beginning, what stands before it is not asked.
        passes = data == byte
        passes[1:] &= before.take(data[:-1])
        bits = np.packbits(np.append(passes, np.zeros(-len(passes) % GROUP, np.bool_)), bitorder="little")
    return _ones(bits)


def _bits(data: Bytes, byte: int) -> Bytes:
    """Return one bit for each byte of *data*, the lowest first, filled up to whole groups: whether it is *byte*."""
    bits = np.empty((len(data) // GROUP + 1) * (GROUP // 8), np.uint8)
    bits[len(data) // 8 :] = 0
    for begin in range(0, len(data), BLOCK):
        block = data[begin : begin + BLOCK]
        some = np.packbits(np.equal(block, byte, out=_SCRATCH.passes[: len(block)]), bitorder="little")
        bits[begin // 8 : begin // 8 + len(some)] = some
    return bits


def _ones(bits: Bytes) -> Places:
    """Return the places of the bits that are set, ascending."""
    groups = bits.view(np.uint32)
    index = (groups != 0).nonzero()[0]
    if DENSE * len(index) > len(groups):
        return np.unpackbits(bits, bitorder="little").view(np.bool_).nonzero()[0]
    left = groups.take(index)
    index *= GROUP
    found = []
    while True:
        lowest = left & -left
        # The exponent of a power of two is the place of its bit.
        found.append(index + ((lowest.astype(np.float32).view(np.int32) >> 23) - 127))
        left ^= lowest
        more = (left != 0).nonzero()[0]
        if not len(more):
            break
        # Several in one group are rare.
        index, left = index[more], left[more]
    # Ascending runs: the stable sort merges them.
    return np.sort(np.concatenate(found), kind="stable") if len(found) > 1 else found[0]


def numbers(buffer: Any, kind: type[np.integer[Any]]) -> npt.NDArray[Any]:
    """Return what a `pyarrow.Buffer` holds as numbers of type *kind*, without copying; its size need be no multiple of theirs."""
    return np.frombuffer(buffer, kind, buffer.size // np.dtype(kind).itemsize)


def _words(data: Bytes) -> npt.NDArray[Any]:
    """Return the word that begins at each byte of *data*, without copying; there must be at least one."""
    return np.ndarray((len(data) - WORD + 1,), np.uint64, data, strides=(1,))


def _word(part: bytes) -> Any:
    return np.frombuffer(part, np.uint64)[0]


def _alike(words: Words, mask: Any, word: Any) -> Mask:
    """Return which of *words* are *word* where *mask* has bits."""
    alike: Mask = (words if mask == ALL else words & mask) == word
    return alike


class _Literal:
    """A byte string to be found.

    Attributes:
        content: the string.
        before: how many of its bytes stand before its sign.
        masks: which bytes are the string's of each of the two words, of `SPAN` bytes together, that end with the sign.
        words: what these must be then.
        rest: the places in the string of bytes, or of whole words where it has any, that are to be compared besides.
    """

    def __init__(self, content: bytes, sign: int) -> None:
        self.content = content
        self.before = content.rindex(sign)
        part = content[max(0, self.before + 1 - SPAN) : self.before + 1]
        self.masks = np.frombuffer((b"\xff" * len(part)).rjust(SPAN, b"\0"), np.uint64)
        self.words = np.frombuffer(part.rjust(SPAN, b"\0"), np.uint64)
        done = range(self.before + 1 - len(part), self.before + 1)
        if len(content) < WORD:
            self.rest = [at for at in range(len(content)) if at not in done]
        else:
            # The last word may overlap the one before it.
            starts = {*range(0, len(content) - WORD, WORD), len(content) - WORD}
            self.rest = sorted(at for at in starts if not {at, at + WORD - 1} <= set(done))

    def among(self, far: Words, near: Words) -> Mask:
        """Return where the two words that end with each sign, the *far* one and the *near* one, are what they must be."""
        right = _alike(near, self.masks[1], self.words[1])
        # Of a marker that is not to be seen in a whole buffer, most often one word tells.
        if self.masks[0] and right.any():
            right &= _alike(far, self.masks[0], self.words[0])
        return right

    def stands(self, data: Bytes, words: npt.NDArray[Any], at: Places) -> Mask:
        """Return whether the rest of the string is right where it would begin at the places *at*."""
        standing = np.ones(len(at), np.bool_)
        if not len(at):
            return standing
        for offset in self.rest:
            if len(self.content) < WORD:
                standing &= data[at + offset] == self.content[offset]
            else:
                standing &= words[at + offset] == _word(self.content[offset : offset + WORD])
        return standing


class Literals:
    """Byte strings to be found.

    Args:
        literals: the strings, none empty, at most 127, none of which stands in another.
    """

    def __init__(self, literals: Sequence[bytes]) -> None:
        self.literals = list(literals)
        self._reach = max(SPAN, *map(len, literals))
        signs = _signs(literals)
        self._parts = [_Literal(literal, sign) for literal, sign in zip(literals, signs, strict=True)]
        self._offsets = np.array([part.before for part in self._parts])
        self._before = {sign: np.zeros(256, np.bool_) for sign in signs}
        for part, sign in zip(self._parts, signs, strict=True):
            self._before[sign][part.content[part.before - 1] if part.before else slice(None)] = True
        # The shortest come first: of literals that end alike they are the usual ones, which leaves the others little.
        order = sorted(range(len(signs)), key=lambda kind: len(literals[kind]))
        self._groups = {sign: [kind for kind in order if signs[kind] == sign] for sign in dict.fromkeys(signs)}

    def find(self, data: Bytes, check: Check | None = None) -> tuple[Places, Kinds]:
        """Return where the literals stand in *data*, ascending, and which each is, as an index.

        Args:
            data: the bytes.
            check: what each stretch of them is shown to before, while it is in a core's own cache, if anything.
        """
        found = []
        for begin in range(0, max(1, len(data)), STRETCH):
            stretch = data[begin : begin + STRETCH]
            if check is not None:
                check(begin, begin + len(stretch))
            for sign, members in self._groups.items():
                signs = _places(stretch, sign, self._before[sign])
                if begin:
                    signs += begin
                found.append(self._confirmed(data, signs, members))
        places, kinds = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
        if (places[1:] <= places[:-1]).any():
            order = np.argsort(places, kind="stable")
            places, kinds = places[order], kinds[order]
        return places, kinds

    def _confirmed(self, data: Bytes, signs: Places, members: list[int]) -> tuple[Places, Kinds]:
        """Return where the literals *members* stand around the places *signs*, and which each is."""
        # Counted from 1, so that sums of comparisons tell them all.
        kind = np.zeros(len(signs), np.int8)
        # Near the ends of a buffer there is no whole word to load: a handful of places.
        begin, end = np.searchsorted(signs, (self._reach, len(data) - self._reach)).tolist()
        if begin < end:
            self._mark(data, signs[begin:end], members, kind[begin:end])
        for index in (*range(min(begin, len(signs))), *range(max(begin, end), len(signs))):
            for member in members:
                place = int(signs[index]) - self._parts[member].before
                literal = self.literals[member]
                if place >= 0 and data[place : place + len(literal)].tobytes() == literal:
                    kind[index] = member + 1
        standing = kind > 0
        kind = kind.compress(standing)
        kind -= 1
        places = signs.compress(standing)
        places -= self._offsets.take(kind)
        return places, kind

    def _mark(self, data: Bytes, signs: Places, members: list[int], kind: Kinds) -> None:
        """Write into *kind* which of the literals *members* stands around each of *signs*, counted from 1."""
        words = _words(data)
        spans = np.ndarray((len(data) - SPAN + 1,), f"V{SPAN}", data, strides=(1,))
        last = spans[signs - (SPAN - 1)].view(np.uint64).reshape(-1, SPAN // WORD)
        # Each is compared several times, which takes a third of the time where words lie side by side.
        far, near = np.ascontiguousarray(last.T)
        for member in members:
            part = self._parts[member]
            right = part.among(far, near)
            if part.rest:
                right &= kind == 0
                hits = right.nonzero()[0]
                kind[hits] = part.stands(data, words, signs[hits] - part.before) * np.int8(member + 1)
            else:
                kind += right.view(np.int8) * np.int8(member + 1)
