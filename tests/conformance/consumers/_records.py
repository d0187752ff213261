"""What the checks share: reading an output record by record, and the text of messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from conformance.check import Meant, Messages, Record

MARKERS = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:"}
"""What stands before a turn, in the transcripts of HH-RLHF."""


def lines(path: Path) -> list[Record]:
    """Return the records of a JSON Lines file."""
    # Not splitlines: contents may hold separators of lines that JSON does not escape.
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def each(records: Iterable[Record], take: Callable[[Record], Any]) -> list[Any]:
    """Return what *take* makes of each record, or the exception that it raises."""
    taken: list[Any] = []
    for record in records:
        try:
            taken.append(take(record))
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises, it refuses the record
            taken.append(error)
    return taken


def transcript(messages: Messages) -> str:
    """Return the text of messages: one space after the colon, none where nothing is said."""
    return "".join(map(_turn, messages))


def _turn(message: dict[str, str]) -> str:
    role, content = message["role"], message["content"]
    if role == "system":
        return content  # the preamble
    return f"{MARKERS[role]} {content}" if content else MARKERS[role]


def whole(meant: Meant) -> Messages:
    """Return the conversation that is preferred, from its start."""
    return [*meant.prompt, *meant.chosen]


def rejected(meant: Meant) -> Messages:
    """Return the conversation that is not, from its start."""
    return [*meant.prompt, *(meant.rejected or ())]
