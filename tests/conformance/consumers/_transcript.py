r"""Transcripts as strings, for the consumers that read no messages: ``"\n\nHuman: ...\n\nAssistant: ..."``."""

from __future__ import annotations

from typing import Final

from conformance.check import Messages

LABELS: Final = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:", "system": ""}
"""What stands before a message; a preamble is text without a label."""


def transcript(messages: Messages) -> str:
    """Return messages as a transcript: one space after each colon, none where there is no content."""
    return "".join(
        LABELS[message["role"]] + (" " if message["content"] and LABELS[message["role"]] else "") + message["content"]
        for message in messages
    )


def prompt(messages: Messages) -> str:
    """Return what an answer is to be written after: a transcript that ends on the assistant's label."""
    return transcript(messages) + LABELS["assistant"]


def answer(messages: Messages) -> str:
    """Return messages of which the assistant says the first, as what follows `prompt`."""
    return transcript(messages).removeprefix(LABELS["assistant"])
