"""What the published data are meant for, as their own card says, and which rows of a run are put to another use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from turnparse._summary import Summary
from turnparse._target import Kind, Target, Training

DATASET: Final = "Anthropic/hh-rlhf"
SOURCE: Final = f"https://huggingface.co/datasets/{DATASET}"
"""Where the notices are from, in other words: the summary, and the disclaimer, of that dataset's card."""

DISCLAIMER: Final = (
    "Such data hold content that may offend or upset; they are for research, above all on making models less harmful."
)


@attrs.frozen
class Notice:
    """What rows of one kind are meant for.

    Attributes:
        name: what they are called.
        meant: what they are meant for.
        unmeant: what they are not.
        against: the trainings that they are not meant for.
    """

    name: str
    meant: str
    unmeant: str
    against: tuple[Training, ...]


NOTICES: Final[Mapping[Kind, Notice]] = {
    "pair": Notice(
        "preference pairs",
        "for training preference (or reward) models",
        "not for supervised training of dialogue agents, which is likely to make harmful models",
        ("supervised",),
    ),
    "red-team": Notice(
        "red-team attempts",
        "for understanding how people attack models, and what succeeds",
        "not for fine-tuning or preference modelling",
        ("supervised", "preference"),
    ),
}
"""{kind of rows: what they are meant for}."""


def misused(target: Target, counts: Summary) -> list[Kind]:
    """Return the kinds of rows among *counts* that are not meant for what *target* trains."""
    if not counts.rows_out:
        return []
    return [
        kind
        for kind, notice in NOTICES.items()
        if target.trains in notice.against and kind in target.takes and counts.kinds[kind]
    ]
