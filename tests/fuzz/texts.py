"""The calls that read one text, or a pair of texts."""

from __future__ import annotations

import turnparse
from benchmarks.reference import messages, parts
from fuzz import mutators, plants, seeds
from fuzz.mutators import Draw
from fuzz.target import Target
from turnparse import Dialect, RenderError, Transcript

HH = Dialect.named()
SEPARATOR = b"\xff"
"""What stands between texts. No UTF-8 has it."""


def text_of(data: bytes) -> str:
    """Return *data* as text; a byte that is no UTF-8 becomes a lone surrogate."""
    return data.decode("utf-8", "surrogateescape")


def sides_of(data: bytes) -> tuple[str, str]:
    """Return a pair of texts: how both begin, then the rest of either, so that a change in what they share is one in both."""
    shared, chosen, rejected = (text_of(part) for part in (data.split(SEPARATOR, 2) + [b""] * 2)[:3])
    return shared + chosen, shared + rejected


def as_bytes(chosen: str, rejected: str) -> bytes:
    """Return the bytes that `sides_of` makes these sides of."""
    at = 0
    while at < min(len(chosen), len(rejected)) and chosen[at] == rejected[at]:
        at += 1
    sides = (chosen[:at], chosen[at:], rejected[at:])
    return SEPARATOR.join(side.encode("utf-8", "surrogateescape") for side in sides)


def check_whole(transcript: Transcript, text: str) -> None:
    """Assert that preamble and turns are *text*, without a gap or an overlap, and that what is odd has its place in it."""
    assert str(transcript) == text
    at = len(transcript.preamble)
    for turn in transcript.turns:
        assert (turn.start, str(turn)) == (at, text[turn.start : turn.end])
        at = turn.end
    assert at == len(text)
    for found in transcript.diagnostics:
        assert 0 <= found.start <= found.end <= len(text)
        assert found.line == text.count("\n", 0, found.start) + 1


def check_text(data: bytes) -> None:
    """Check that a text comes back, that all readers agree on it, and what `render` makes of its messages."""
    text = text_of(data)
    transcript = turnparse.parse(text, diagnostics="all")
    tree = HH.read_tree(text, "all")

    check_whole(transcript, text)
    assert transcript == tree
    assert transcript.diagnostics == tree.diagnostics
    assert [dict(message) for message in transcript.messages()] == messages(text)
    try:
        rendered = turnparse.render(transcript.messages())
    except RenderError:
        return
    assert turnparse.parse(rendered).messages() == transcript.messages()


def check_pair(data: bytes) -> None:
    """Check that shared turns and a tail are each side, and that a plain reading shares the same."""
    texts = sides_of(data)
    pair = turnparse.parse_pair(*texts, diagnostics="all")
    sides = (pair.chosen_transcript, pair.rejected_transcript)

    for side, text, tail in zip(sides, texts, (pair.chosen, pair.rejected), strict=True):
        check_whole(side, text)
        assert side == turnparse.parse(text)
        assert [turn.message() for turn in pair.shared + tail] == side.messages()
    assert tuple([dict(turn.message()) for turn in run] for run in (pair.shared, pair.chosen, pair.rejected)) == parts(
        *texts
    )
    assert {found.code for found in pair.diagnostics} == pair.codes


def of_sides(draw: Draw, data: bytes) -> bytes:
    """Return a pair with a change in what both sides begin with, or in the rest of either."""
    return SEPARATOR.join(mutators.of_one(draw, data.split(SEPARATOR, 2)))


PARSE = Target(
    name="parse",
    about="A text comes back whole; scan, Lark and a plain reading find the same turns; only our own errors are raised.",
    check=check_text,
    seeds=lambda: [text.encode() for text in seeds.texts()],
    plant=plants.in_a_turn,
    trigger=b"\n\nHuman: " + plants.RARE,
    mutator=mutators.of_text,
    longest=1024,
)
PARSE_PAIR = Target(
    name="parse_pair",
    about="Shared turns and a tail are each side's own; a plain reading shares the same.",
    check=check_pair,
    seeds=lambda: [as_bytes(*pair) for pair in seeds.pairs()],
    plant=plants.in_a_pair,
    trigger=b"\n\nHuman: " + plants.RARE + b"\n\nAssistant:\xff a\xff b",
    mutator=of_sides,
)
