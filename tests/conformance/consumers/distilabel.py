"""Distilabel: a record is what its own step writes of the same conversation, answers and ratings."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._records import each, lines, rejected, whole

LEFT_OUT = ("messages", "generations", "ratings")
"""What goes into the step, and is not of the format that comes out of it."""


@functools.cache
def _step() -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when it is imported
    from distilabel.steps import (  # type: ignore[import-not-found] # only where this consumer is installed
        FormatChatGenerationDPO,
    )

    step = FormatChatGenerationDPO()
    step.load()
    return step


def _formatted(messages: Messages, record: Record) -> Record:
    given: Record = {
        "messages": messages,
        "generations": [record["chosen"][-1]["content"], record["rejected"][-1]["content"]],
        "ratings": [record["chosen_rating"], record["rejected_rating"]],
    }
    made: Record = next(_step().process([given]))[0]
    return {key: value for key, value in made.items() if key not in LEFT_OUT}


def _taken(record: Record) -> Record:
    # The step writes one conversation with two answers: where the sides part before, each is written for itself.
    made = _formatted(record["chosen"][:-1], record)
    made["rejected"] = _formatted(record["rejected"][:-1], record)["rejected"]
    if made != {key: record[key] for key in made}:
        raise ValueError("the step writes another record")
    return made


def _expected(meant: Meant) -> Sequence[Any]:
    prompt = next((message["content"] for message in whole(meant) if message["role"] == "user"), "")
    return [
        {
            "prompt": prompt,
            "prompt_id": hashlib.sha256(prompt.encode()).hexdigest(),
            "chosen": whole(meant),
            "chosen_rating": 1.0,
            "rejected": rejected(meant),
            "rejected_rating": 0.0,
        }
    ]


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _taken)


CONSUMER = Consumer(
    name="distilabel",
    version="1.5.3",
    requirements=("distilabel==1.5.3", "requests"),  # which it imports, and does not say so
    checks=(
        Check(
            target="distilabel",
            function="distilabel.steps.FormatChatGenerationDPO.process",
            read=_read,
            expected=_expected,
            # With the ratings the other way round the step prefers the other answer.
            mutate=lambda record: {
                **record,
                "chosen_rating": record["rejected_rating"],
                "rejected_rating": record["chosen_rating"],
            },
        ),
    ),
)
