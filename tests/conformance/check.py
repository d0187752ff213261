"""What a consumer is, and what is checked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

Messages = list[dict[str, str]]
"""Messages, as ``{"role": ..., "content": ...}``."""

Record = dict[str, Any]
"""A record of an output, as JSON has it."""


@attrs.frozen
class Meant:
    """What a row says, by the reference's reading of its text: no code under test comes near it.

    Attributes:
        prompt: the messages that both sides share; of a row that is no pair, those before its last answer.
        chosen: those of the preferred side after them; of a row that is no pair, its last answer, if it ends in one.
        rejected: those of the other side; None of a row that is no pair.
        row: the row as it was read, with the metadata of a red-team attempt.
    """

    prompt: Messages
    chosen: Messages
    rejected: Messages | None
    row: Record


@attrs.frozen
class Check:
    """One target, and what of its consumer reads it.

    Attributes:
        target: the target's name.
        function: the qualified name of the consumer's function that is called.
        read: given a file that turnparse wrote, what arrives of each of its records, in order: anything that can be
            compared, and that holds all the content; an exception where the consumer refuses a record, None where it
            leaves one out.
        expected: what is to arrive of each record that is written of a row, in order: one, or two where a target
            writes two records for a pair.
        mutate: breaks a record in such a way that the consumer must refuse it, leave it out, or make something else of
            it: else the check checks nothing.
        ending: the format of the file.
        options: options of `turnparse.convert`.
    """

    target: str
    function: str
    read: Callable[[Path], Sequence[Any]]
    expected: Callable[[Meant], Sequence[Any]]
    mutate: Callable[[Record], Record]
    ending: Literal["jsonl", "parquet"] = "jsonl"
    options: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Consumer:
    """A consumer: how it is installed, and what it reads.

    Attributes:
        name: its distribution on the package index.
        version: the version that the checks were written against.
        requirements: what is installed with its dependencies.
        alone: what is installed without its dependencies.
        stubbed: modules that are replaced by empty ones, since what is called never uses them.
        checks: what it reads.
        how: how it is called, in a phrase for the table: ``"installed whole"``, ``"released wheel, without its
            dependencies"``, ``"rules of its documentation"``.
    """

    name: str
    version: str
    requirements: tuple[str, ...]
    checks: tuple[Check, ...]
    alone: tuple[str, ...] = ()
    stubbed: tuple[str, ...] = ()
    how: str = "installed whole"
