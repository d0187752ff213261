"""Which of many texts begin, or end, in one of a few byte strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnparse._buffers import WORD, Mask, Places
from turnparse._contents import TextColumn


class Affixes:
    """Byte strings that texts may begin or end in.

    Args:
        literals: the strings, none empty.
        at_end: whether they are looked for at the end of texts.
    """

    def __init__(self, literals: Sequence[bytes], *, at_end: bool) -> None:
        self.literals = sorted(set(literals))
        self.at_end = at_end
        self._size = min(WORD, min(map(len, literals), default=0))
        samples = {literal[-self._size :] if at_end else literal[: self._size] for literal in literals}
        self._words = [np.frombuffer(sample.ljust(WORD, b"\0"), np.uint64)[0] for sample in sorted(samples)]
        self._mask = np.frombuffer((b"\xff" * self._size).ljust(WORD, b"\0"), np.uint64)[0]
        self._outermost = np.zeros(256, np.bool_)
        self._outermost[[literal[-1 if at_end else 0] for literal in literals]] = True

    def among(self, texts: TextColumn) -> Places:
        """Return the indices of *texts* that have one of the strings there, ascending."""
        if not len(texts.data) or not self.literals:
            return texts.starts[:0]
        # Of empty texts this is some byte or other; they are shorter than any string.
        edge = texts.data.take(texts.ends - 1 if self.at_end else texts.starts, mode="clip")
        near = self._outermost.take(edge).nonzero()[0]
        if len(near):
            # Eight bytes tell nearly all: next to no text is left that has them and not the whole string.
            at = texts.ends[near] - self._size if self.at_end else texts.starts[near]
            there = texts.data.take(at[:, None] + np.arange(WORD), mode="clip").view(np.uint64).ravel() & self._mask
            same = np.zeros(len(near), np.bool_)
            for word in self._words:
                same |= there == word
            near = near[same]
        return near[self._having(texts, near)] if len(near) else near

    def _having(self, texts: TextColumn, near: Places) -> Mask:
        """Return whether each of the *texts* with the indices *near* has one of the strings."""
        begins, ends = texts.starts[near], texts.ends[near]
        found = np.zeros(len(near), np.bool_)
        for literal in self.literals:
            at = ends - len(literal) if self.at_end else begins
            there = texts.data.take(at[:, None] + np.arange(len(literal)), mode="clip")
            found |= (there == np.frombuffer(literal, np.uint8)).all(axis=1) & (ends - begins >= len(literal))
        return found
