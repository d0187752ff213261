"""What turnparse is measured against, each in its best form."""

from __future__ import annotations

import re

MARKER = re.compile(r"\n\n(Human|Assistant):")

ROLES = {"Human": "user", "Assistant": "assistant"}

Turns = list[tuple[str, str]]
Messages = list[dict[str, str]]


def plain_loop(chosen: str, rejected: str) -> tuple[Turns, Turns, Turns]:
    """Return the shared turns and both tails as (speaker, content): what everybody writes, done right.

    Split at the markers, strip, compare turn by turn; the last turn of a side is never shared.
    """
    sides = []
    for text in (chosen, rejected):
        parts = MARKER.split(text)
        sides.append([(speaker, content.strip()) for speaker, content in zip(parts[1::2], parts[2::2], strict=True)])
    left, right = sides
    shared, limit = 0, min(len(left), len(right)) - 1
    while shared < limit and left[shared] == right[shared]:
        shared += 1
    return left[:shared], left[shared:], right[shared:]


def plain_messages(chosen: str, rejected: str) -> tuple[Messages, Messages, Messages]:
    """Return prompt, chosen and rejected as chat messages: the same loop, as a converter to messages has it."""
    sides = []
    for text in (chosen, rejected):
        parts = MARKER.split(text)
        pairs = zip(parts[1::2], parts[2::2], strict=True)
        sides.append([{"role": ROLES[speaker], "content": content.strip()} for speaker, content in pairs])
    left, right = sides
    shared, limit = 0, min(len(left), len(right)) - 1
    while shared < limit and left[shared] == right[shared]:
        shared += 1
    return left[:shared], left[shared:], right[shared:]
