r"""Transcripts as strings, for the consumers that read no messages: ``"\n\nHuman: ...\n\nAssistant: ..."``."""

from __future__ import annotations

from typing import Final

from conformance.check import Messages

LABELS: Final = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:", "system": ""}
"""What stands before a message; a preamble is text without a label."""


def transcript(messages: Messages) -> str:
    """Return messages as a transcript: a space after each colon, also before nothing, as the published files have it."""
    labels = [LABELS[message["role"]] for message in messages]
    return "".join(
        label + (label and " ") + message["content"] for label, message in zip(labels, messages, strict=True)
    )


def prompt(messages: Messages) -> str:
    """Return what an answer is to be written after: a transcript that ends on the assistant's label."""
    return transcript(messages) + LABELS["assistant"]


def answer(messages: Messages) -> str:
    """Return messages of which the assistant says the first, as what follows `prompt`."""
    return transcript(messages).removeprefix(LABELS["assistant"])
