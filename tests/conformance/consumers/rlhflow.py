"""RLHFlow: its recipes are on no package index, so the rules of its standard format are written down here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Record
from conformance.consumers._records import each, lines, rejected, whole
from conformance.consumers._rules import alternating, conversation, keys


def _preference(record: Record) -> Any:
    """Follow the standard format: whole conversations that share their prompt, with a score each or none."""
    keys(record, "chosen", "rejected", "chosen_score", "rejected_score")
    chosen, other = conversation(record["chosen"]), conversation(record["rejected"])
    for side in (chosen, other):
        alternating(side)  # its reward models use templates that raise otherwise
    if chosen[:-1] != other[:-1]:
        raise ValueError("expected nothing to differ but the last message")
    for score in ("chosen_score", "rejected_score"):
        if not isinstance(record[score], float | None):
            raise TypeError(f"expected {score} to be a number or null")
    return chosen, other


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _preference)


CONSUMER = Consumer(
    name="rlhflow",
    version="",
    requirements=(),
    how="rules of its documentation",
    checks=(
        Check(
            target="rlhflow",
            function="RLHFlow/RLHF-Reward-Modeling: the standard format of its preference data",
            read=_read,
            expected=lambda meant: [(whole(meant), rejected(meant))],
            mutate=lambda record: {**record, "chosen_score": "1.0"},
        ),
    ),
)
