"""Which of many texts begin, or end, in one of a few byte strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from turnparse._buffers import Bytes, Mask, Places
from turnparse._contents import TextColumn

SAMPLE: Final = 4
"""Bytes of a string that are compared first: enough that next to no other text has them."""


class Affixes:
    """Byte strings that texts may begin or end in.

    Args:
        literals: the strings, none empty.
        at_end: whether they are looked for at the end of texts.
    """

    def __init__(self, literals: Sequence[bytes], *, at_end: bool) -> None:
        self.literals = sorted(set(literals))
        self.at_end = at_end
        self.longest = max(map(len, literals), default=0)
        size = min(SAMPLE, min(map(len, literals), default=0))
        self._samples = sorted({literal[-size:] if at_end else literal[:size] for literal in literals})
        self._outermost = np.zeros(256, np.bool_)
        self._outermost[[literal[-1 if at_end else 0] for literal in literals]] = True

    def __len__(self) -> int:
        return len(self.literals)

    def among(self, texts: TextColumn) -> Places:
        """Return the indices of *texts* that have one of the strings there, ascending."""
        if not len(texts.data) or not self.literals:
            return texts.starts[:0]
        # Of empty texts this is some byte or other; they are shorter than any string.
        edge = texts.data.take(texts.ends - 1 if self.at_end else texts.starts, mode="clip")
        near = self._outermost.take(edge).nonzero()[0]
        if len(near):
            near = self._having(self._samples, texts, near)
        return self._having(self.literals, texts, near) if len(near) else near

    def _having(self, literals: Sequence[bytes], texts: TextColumn, near: Places) -> Places:
        """Return those of the indices *near* whose text has one of *literals* at its end, or its beginning."""
        begins, ends = texts.starts[near], texts.ends[near]
        found = np.zeros(len(near), np.bool_)
        for size in {len(literal) for literal in literals}:
            there = _bytes_at(texts.data, ends - size if self.at_end else begins, size)
            long_enough = ends - begins >= size
            for literal in literals:
                if len(literal) == size:
                    same: Mask = (there == np.frombuffer(literal, np.uint8)).all(axis=1)
                    found |= same & long_enough
        return near[found]


def _bytes_at(data: Bytes, at: Places, size: int) -> Bytes:
    """Return the bytes at each of the places *at*, so many of each; outside of *data*, the nearest there are."""
    return data.take(at[:, None] + np.arange(size), mode="clip")
