"""Rules that formats share whose own programs cannot be had."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from conformance.check import Messages, Record

ROLES = ("system", "user", "assistant")


def keys(record: Record, *names: str) -> None:
    """Raise unless a record has these keys and no others."""
    if set(record) != set(names):
        raise ValueError(f"expected the keys {', '.join(names)}, found {', '.join(record)}")


def conversation(messages: Any) -> Messages:
    """Return messages that are some, of known roles, with a system message only as the first; raise on any others."""
    if not isinstance(messages, list) or not messages:
        raise ValueError("expected messages")
    for place, message in enumerate(messages):
        keys(message, "role", "content")
        if message["role"] not in ROLES[1 if place else 0 :]:
            raise ValueError(f"unexpected role {message['role']}")
        if not isinstance(message["content"], str):
            raise TypeError("expected content to be a string")
    return messages


def alternating(messages: Messages) -> None:
    """Raise unless user and assistant take turns, the user first and the assistant last."""
    turns = [message["role"] for message in messages if message["role"] != "system"]
    if (
        not turns
        or len(turns) % 2
        or any(turn != due for turn, due in zip(turns, cycle(("user", "assistant")), strict=False))
    ):
        raise ValueError("expected user and assistant to take turns")
