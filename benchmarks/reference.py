"""The reference: an independent reading of a pair, as plain as can be, and the count of rows that agree with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

LABEL = re.compile(r"(Human|Assistant):")
BREAKS = ("\r\n\r\n", "\n\n")

Messages = list[dict[str, str]]


@attrs.frozen
class Tally:
    """What became of the rows.

    Attributes:
        right: rows that came out as the reference has them, in order.
        wrong: rows that came out otherwise.
        lost: rows that did not come out.
    """

    right: int
    wrong: int
    lost: int


def messages(text: str) -> Messages:
    """Return the messages of a transcript: a marker is a paragraph break, or the start, then a label and a colon."""
    markers = [
        (label.start() - len(before), label)
        for label in LABEL.finditer(text)
        for before in (BREAKS if label.start() else ("",))
        if text.endswith(before, 0, label.start())
    ]
    ends = [*(begin for begin, _ in markers[1:]), len(text)]
    made = [
        {"role": "user" if label[1] == "Human" else "assistant", "content": text[label.end() : end].strip()}
        for (_, label), end in zip(markers, ends, strict=False)
    ]
    preamble = text[: markers[0][0] if markers else len(text)].strip()
    return [{"role": "system", "content": preamble}, *made] if preamble else made


def parts(chosen: str, rejected: str) -> tuple[Messages, Messages, Messages]:
    """Return the prompt and both tails: what both sides share from their start, but for a side's last message."""
    left, right = messages(chosen), messages(rejected)
    at = 0
    while at + 1 < min(len(left), len(right)) and left[at] == right[at]:
        at += 1
    return left[:at], left[at:], right[at:]


def key(row: Any) -> bytes:
    """Return a digest of a row, that all of them may be remembered at once."""
    # repr is enough: rows are lists, dicts and strings, made in one order.
    return hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def tally(expected: Sequence[bytes], made: Iterable[bytes | None]) -> Tally:
    """Count the rows *made*, of which each may stand for one that was *expected*; None stands for a row that crashed.

    If rows are missing, a row is right if it is expected somewhere after the last that was right.
    """
    found = [row for row in made if row is not None]
    lost = len(expected) - len(found)
    if lost == 0:
        right = sum(map(bytes.__eq__, expected, found))
        return Tally(right, len(found) - right, 0)
    places = {row: place for place, row in enumerate(expected)}
    right, last = 0, -1
    for row in found:
        if (place := places.get(row, -1)) > last:
            right, last = right + 1, place
    return Tally(right, len(found) - right, lost)
