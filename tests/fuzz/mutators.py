"""How inputs are changed: within a text or a row, so that what comes out is still read to where bugs are.

libFuzzer's own changes of bytes mostly make a file of JSON or a table one that is refused at once. Here they are made to
one text of it, beside changes that its format knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs

from fuzz import seeds
from strategies import ODD_MARKERS

SINGLE = " \n\r\u3000\x85\u2028\0é日😀"
WORDS = [text.encode("utf-8", "surrogatepass") for text in [*seeds.strings(), *ODD_MARKERS, *SINGLE]]
"""What stands in transcripts, or nearly does, and white space."""

OTHERS: list[Any] = json.loads(
    '[null, true, 0, -1.5, 1e300, 1180591620717411303424, "", "Human: Hi", [], {}, [{"role": "user", "content": "a"}]]'
)
"""What is no text where one should be, or none of a dialogue."""

ROOM = 64
"""Bytes that a change of bytes may add."""

RAW = 0.2
"""How often bytes are changed wherever they stand, as damage does it."""

MORE = 0.67
"""How often one change more is made before an input is tried: that takes far longer than to change it."""


@attrs.frozen
class Draw:
    """What a change is drawn from.

    Attributes:
        random: draws it.
        size: how many bytes an input may have.
        change: changes bytes in libFuzzer's own ways, given how many there may be.
    """

    random: Random
    size: int
    change: Callable[[bytes, int], bytes]

    def often(self, share: float) -> bool:
        """Tell whether to do what is to be done in this share of all cases."""
        return self.random.random() < share

    def place(self, found: Sequence[Any]) -> int:
        """Return where in *found* something is to be put: at its begin, its end, or between."""
        return self.random.randint(0, len(found))

    def span(self, found: Sequence[Any]) -> tuple[int, int]:
        """Return where a part of *found* begins and ends; short ones are as likely as long ones."""
        begin = self.place(found)
        return begin, min(len(found), begin + int(2 ** self.random.uniform(0, 8)))


Mutator = Callable[[Draw, bytes], bytes]
"""Returns an input with a change; it may have any size."""


def mutated(draw: Draw, data: bytes, mutator: Mutator) -> bytes:
    """Return *data* with changes that *mutator* makes, or now and then one of bytes; never longer than it may be."""
    if draw.often(RAW):
        return draw.change(data, draw.size)
    made = mutator(draw, data)
    while draw.often(MORE):
        made = mutator(draw, made)
    return draw.change(data, draw.size) if len(made) > draw.size else made


def of_text(draw: Draw, text: bytes) -> bytes:
    """Return a text with a change."""
    return draw.random.choice(WAYS)(draw, text)


def _bytes(draw: Draw, text: bytes) -> bytes:
    return draw.change(text, len(text) + ROOM)


def _put(draw: Draw, text: bytes, new: bytes) -> bytes:
    at = draw.place(text)
    return text[:at] + new + text[at:]


def _word(draw: Draw, text: bytes) -> bytes:
    return _put(draw, text, draw.random.choice(WORDS))


def _characters(draw: Draw, text: bytes) -> bytes:
    return _put(draw, text, bytes(draw.random.randrange(32, 127) for _ in range(int(2 ** draw.random.uniform(0, 4)))))


def _copy(draw: Draw, text: bytes) -> bytes:
    begin, end = draw.span(text)
    return _put(draw, text, text[begin:end])


def _cut(draw: Draw, text: bytes) -> bytes:
    begin, end = draw.span(text)
    return text[:begin] + text[end:]


def _paragraphs(draw: Draw, text: bytes) -> bytes:
    return b"\n\n".join(of_sequence(draw, text.split(b"\n\n")))


WAYS = [_bytes, _bytes, _word, _word, _characters, _characters, _characters, _copy, _cut, _paragraphs]


def of_sequence(draw: Draw, given: Sequence[Any]) -> list[Any]:
    """Return a sequence with an element more, an element less, or two in each other's place."""
    made = list(given)
    if not made:
        return made
    one, other = draw.random.randrange(len(made)), draw.random.randrange(len(made))
    way = draw.random.randrange(3)
    if way == 0:
        made.insert(other, made[one])
    elif way == 1:
        del made[one]
    else:
        made[one], made[other] = made[other], made[one]
    return made


def of_one(draw: Draw, parts: list[bytes]) -> list[bytes]:
    """Return texts with a change in one of them."""
    at = draw.random.randrange(len(parts))
    return [*parts[:at], of_text(draw, parts[at]), *parts[at + 1 :]]


def of_row(draw: Draw, row: dict[str, Any], errors: str) -> dict[str, Any]:
    """Return a row with a change, mostly in a text of it.

    Args:
        draw: what it is drawn from.
        row: the row.
        errors: what becomes of bytes that are no UTF-8, as `bytes.decode` has it.
    """
    texts = [name for name, value in row.items() if isinstance(value, str)]
    if not texts or draw.often(0.15):
        return _other_row(draw, row)
    name = draw.random.choice(texts)
    if len(texts) > 1 and draw.often(0.3):
        return row | _alike(draw, {one: row[one] for one in texts}, errors)
    return row | {name: _changed(draw, row[name], errors)}


def _changed(draw: Draw, text: str, errors: str) -> str:
    return of_text(draw, text.encode("utf-8", "surrogatepass")).decode("utf-8", errors)


def _alike(draw: Draw, texts: dict[str, str], errors: str) -> dict[str, str]:
    """Return texts with a change in what they begin with alike, the same in all."""
    shortest = min(texts.values(), key=len)
    same = next(
        (at for at in range(len(shortest)) if any(text[at] != shortest[at] for text in texts.values())), len(shortest)
    )
    begin = _changed(draw, shortest[:same], errors)
    return {name: begin + text[same:] for name, text in texts.items()}


def _other_row(draw: Draw, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with other keys, or with a value of another kind."""
    names = of_sequence(draw, list(row))
    way = draw.random.randrange(4)
    if way == 0:
        return {name: row[name] for name in names}
    if way == 1:
        return dict(zip(row, [row[name] for name in names], strict=False))
    name = draw.random.choice([*row, *seeds.KEYS])
    return row | {name: draw.random.choice([*row.values(), *OTHERS])}
