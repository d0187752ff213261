"""Dahoas/full-hh-rlhf: a data set, not a program; what its readers do with a row is written down here as rules.

They are trlx, DeepSpeed-Chat and an example of verl's, of which no package index has the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._records import each, lines, rejected, whole
from conformance.consumers._rules import keys
from conformance.consumers._transcript import LABELS, transcript


def _joined(record: Record) -> Any:
    """Follow them: the prompt as it is, and each answer put behind it."""
    keys(record, "prompt", "response", "chosen", "rejected")
    for column, text in record.items():
        if not isinstance(text, str):
            raise TypeError(f"expected {column} to be a string")
    prompt = record["prompt"]
    if not prompt.endswith(LABELS["assistant"]):
        raise ValueError("expected the prompt to end where the assistant is to answer")
    if record["response"] != record["chosen"]:
        raise ValueError("expected the response to be the chosen answer")
    for column in ("chosen", "rejected"):
        if any(marker in record[column] for marker in filter(None, LABELS.values())):
            raise ValueError(f"expected {column} to be one answer")
    return prompt, prompt + record["chosen"], prompt + record["rejected"]


def _expected(meant: Meant) -> Sequence[Any]:
    return [(transcript(meant.prompt) + LABELS["assistant"], transcript(whole(meant)), transcript(rejected(meant)))]


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _joined)


CONSUMER = Consumer(
    name="dahoas",
    version="",
    requirements=(),
    how="rules of its documentation",
    checks=(
        Check(
            target="dahoas",
            function="prompt + chosen and prompt + rejected, as DeepSpeed-Chat's DahoasFullhhrlhfDataset has them",
            read=_read,
            expected=_expected,
            mutate=lambda record: {**record, "prompt": record["prompt"].removesuffix(LABELS["assistant"])},
        ),
    ),
)
