"""What the benchmarks read: the user's own files, or rows made from the shipped sample."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from turnparse import Pair, read

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
    """Yield *count* pairs, those of `sample_pairs` over and over, each made unique by a number in its first turn."""
    pairs = itertools.cycle(sample_pairs())
    for number, (chosen, rejected) in enumerate(itertools.islice(pairs, count)):
        mark = f" ({number})"
        at = chosen.find("\n\n", 2)
        if at < 0 or rejected[:at] != chosen[:at]:
            at = 0
        yield chosen[:at] + mark * bool(at) + chosen[at:], rejected[:at] + mark * bool(at) + rejected[at:]
