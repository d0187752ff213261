"""What the checks share: reading an output record by record, and whole conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from conformance.check import Meant, Messages, Record


def lines(path: Path) -> list[Record]:
    """Return the records of a JSON Lines file."""
    # Not splitlines: contents may hold separators of lines that JSON does not escape.
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def each(records: Iterable[Any], take: Callable[[Any], Any]) -> list[Any]:
    """Return what *take* makes of each record, or the exception that it raises."""
    taken: list[Any] = []
    for record in records:
        try:
            taken.append(take(record))
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises, it refuses the record
            taken.append(error)
    return taken


def whole(meant: Meant) -> Messages:
    """Return the conversation that is preferred, from its start."""
    return [*meant.prompt, *meant.chosen]


def rejected(meant: Meant) -> Messages:
    """Return the conversation that is not, from its start."""
    return [*meant.prompt, *(meant.rejected or ())]
