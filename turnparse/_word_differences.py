"""Where two texts differ, by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal

import attrs

Operation = Literal["equal", "replace", "delete", "insert"]

WORD: Final = re.compile(r"\w+|[^\w\s]")
"""A word: letters and digits, or one mark that is neither. White space stands between them."""

MOST_COMPARED: Final = 1_000_000
"""Words of one text times words of the other, those that both begin and end with left out, that are compared at most. The
time goes with that product, and with texts made for it a fifth of a second at this limit was the most that was seen. Two
answers of a thousand words, more than nearly all of HH-RLHF's have, are within it; of longer ones all that lies
between the ends is one difference."""


@attrs.frozen
class Difference:
    """A stretch of two texts.

    Attributes:
        operation: ``"equal"`` if it is the same in both; else what makes the one text the other, as `difflib` names it.
        chosen: the stretch in the one text; empty if it is to be inserted.
        rejected: the stretch in the other; empty if it is to be deleted.
    """

    operation: Operation
    chosen: str
    rejected: str


def differences(chosen: str, rejected: str) -> tuple[Difference, ...]:
    """Return the stretches of two texts, in order: those of each side together are that text."""
    return tuple(_joined(_stretches(chosen, rejected)))


def _stretches(one: str, other: str) -> Iterator[tuple[str, str]]:
    """Yield the stretches of two texts, which are the same in both or not."""
    spans = [match.span() for match in WORD.finditer(one)], [match.span() for match in WORD.finditer(other)]
    words = [one[a:b] for a, b in spans[0]], [other[a:b] for a, b in spans[1]]
    # Where each word begins, and the text ends: what stands before the first word belongs to none.
    begins = [begin for begin, _ in spans[0]] + [len(one)], [begin for begin, _ in spans[1]] + [len(other)]
    yield one[: begins[0][0]], other[: begins[1][0]]
    for kind, a, b, c, d in _operations(*words):
        if kind != "equal":
            ends = begins[0][b], begins[1][d]
            if kind == "replace":
                # What stands after both is no part of the difference, if it is the same.
                last = spans[0][b - 1][1], spans[1][d - 1][1]
                ends = last if one[last[0] : ends[0]] == other[last[1] : ends[1]] else ends
            yield one[begins[0][a] : ends[0]], other[begins[1][c] : ends[1]]
            yield one[ends[0] : begins[0][b]], other[ends[1] : begins[1][d]]
            continue
        start = begins[0][a]
        # White space may differ between words that do not.
        for at, to in zip(range(a, b), range(c, d), strict=True):
            spaces = one[spans[0][at][1] : begins[0][at + 1]], other[spans[1][to][1] : begins[1][to + 1]]
            if spaces[0] != spaces[1]:
                yield one[start : spans[0][at][1]], one[start : spans[0][at][1]]
                yield spaces
                start = begins[0][at + 1]
        yield one[start : begins[0][b]], one[start : begins[0][b]]


def _operations(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield what makes one list of words the other, as `SequenceMatcher.get_opcodes` does, in bounded time."""
    shorter = min(len(one), len(other))
    begin = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    end = next((at for at in range(shorter - begin) if one[-1 - at] != other[-1 - at]), shorter - begin)
    middle = one[begin : len(one) - end], other[begin : len(other) - end]
    if begin:
        yield "equal", 0, begin, 0, begin
    if len(middle[0]) * len(middle[1]) > MOST_COMPARED:
        yield "replace", begin, len(one) - end, begin, len(other) - end
    else:
        # With `autojunk` no word that makes up a hundredth of a long text is looked for by itself, only beside others: where
        # every other word is the same, the time would go with the third power of the words.
        for kind, a, b, c, d in SequenceMatcher(None, *middle, autojunk=True).get_opcodes():
            yield kind, begin + a, begin + b, begin + c, begin + d
    if end:
        yield "equal", len(one) - end, len(one), len(other) - end, len(other)


def _joined(stretches: Iterator[tuple[str, str]]) -> Iterator[Difference]:
    """Yield *stretches* with neighbours that are alike put together."""
    runs: list[tuple[bool, str, str]] = []
    for chosen, rejected in stretches:
        if not chosen and not rejected:
            continue
        equal = chosen == rejected
        if runs and runs[-1][0] == equal:
            runs[-1] = equal, runs[-1][1] + chosen, runs[-1][2] + rejected
        else:
            runs.append((equal, chosen, rejected))
    for equal, chosen, rejected in runs:
        operation: Operation = "equal" if equal else "insert" if not chosen else "delete" if not rejected else "replace"
        yield Difference(operation, chosen, rejected)
