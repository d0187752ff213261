"""open-instruct: it is on no package index, so the rules of its `dataset_transformation` are written down here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Record
from conformance.consumers._records import each, lines, rejected, whole
from conformance.consumers._rules import conversation, keys


def _preference(record: Record) -> Any:
    """Follow `preference_tulu_tokenize_and_truncate_v1`: "only the last message is different"."""
    keys(record, "chosen", "rejected")
    chosen, other = conversation(record["chosen"]), conversation(record["rejected"])
    if chosen[:-1] != other[:-1]:
        raise ValueError("expected nothing to differ but the last message")
    if not chosen[-1]["role"] == other[-1]["role"] == "assistant":
        raise ValueError("expected the last message to be an assistant's")
    if chosen[:-1] == []:
        raise ValueError("expected a prompt")
    return chosen, other


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _preference)


CONSUMER = Consumer(
    name="open-instruct",
    version="",
    requirements=(),
    how="rules of its documentation",
    checks=(
        Check(
            target="open-instruct",
            function="open_instruct.dataset_transformation.preference_tulu_tokenize_and_truncate_v1",
            read=_read,
            expected=lambda meant: [(whole(meant), rejected(meant))],
            mutate=lambda record: {**record, "rejected": record["rejected"][1:]},
        ),
    ),
)
