"""What the benchmarks read: the user's own files, or rows made from the shipped sample."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from turnparse import Pair, parse, read

FILES_VARIABLE = "TURNPARSE_BENCHMARK_FILES"
"""Paths of preference files, separated as in PATH, to measure instead of the sample."""


def sample_pairs() -> list[tuple[str, str]]:
    """Return (chosen, rejected) of every pair of the user's files, or of the shipped sample."""
    given = os.environ.get(FILES_VARIABLE)
    sample = files("turnparse") / "samples" / "pairs.jsonl"
    paths = given.split(os.pathsep) if given else [str(sample)]
    return [
        (str(item.chosen_transcript), str(item.rejected_transcript))
        for path in paths
        for item in read(Path(path))
        if isinstance(item, Pair)
    ]


def unique_pairs(count: int) -> Iterator[tuple[str, str]]:
    """Yield *count* pairs: those of `sample_pairs` over and over, each made unique by a number in its first content.

    What is odd about a pair stays as odd; a side without any content has no place for a number.
    """
    pairs = sample_pairs()
    places = [tuple(map(_first_content, pair)) for pair in pairs]
    for number in range(count):
        pair, at = pairs[number % len(pairs)], places[number % len(pairs)]
        chosen, rejected = (
            text if begin is None else f"{text[:begin]}{number} {text[begin:]}"
            for text, begin in zip(pair, at, strict=True)
        )
        yield chosen, rejected


def _first_content(text: str) -> int | None:
    """Return where the first content of a turn begins, or None if there is none."""
    for turn in parse(text).turns:
        if turn.content:
            return turn.start + str(turn).index(turn.content, len(turn.marker))
    return None
