"""What formats ask of a row before they can hold it, and how a row reads once it is rendered: from Meant alone."""

from __future__ import annotations

from conformance.check import Meant, Messages

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"


def sides(meant: Meant) -> tuple[Messages, Messages] | None:
    """Return both sides whole, or None of a row that is no pair."""
    if meant.rejected is None:
        return None
    return meant.prompt + meant.chosen, meant.prompt + meant.rejected


def answers(meant: Meant) -> tuple[str, str] | None:
    """Return what both sides answer, or None unless each has exactly one message of the assistant after the prompt."""
    tails = (meant.chosen, meant.rejected or [])
    if any([message["role"] for message in tail] != [ASSISTANT] for tail in tails):
        return None
    return tails[0][0]["content"], tails[1][0]["content"]


def parted(messages: Messages) -> tuple[str, Messages]:
    """Return the content of the system message that may lead, and the messages after it."""
    if messages and messages[0]["role"] == SYSTEM:
        return messages[0]["content"], messages[1:]
    return "", messages


def takes_turns(messages: Messages) -> bool:
    """Tell whether user and assistant take turns, the user first; no other role, and nobody twice in a row."""
    return all(message["role"] == (USER, ASSISTANT)[place % 2] for place, message in enumerate(messages))


def asks(messages: Messages) -> bool:
    """Tell whether messages take turns and end on the user, so that the assistant is next."""
    return takes_turns(messages) and len(messages) % 2 == 1


def question(meant: Meant) -> tuple[str, str] | None:
    """Return the system message and what the user asks, or None unless that is all of the prompt."""
    system, turns = parted(meant.prompt)
    return (system, turns[0]["content"]) if [turn["role"] for turn in turns] == [USER] else None


def message(role: str, content: str) -> dict[str, str]:
    """Return a message."""
    return {"role": role, "content": content}


def chatml(messages: Messages, *, asks: bool = False) -> str:
    """Return messages in ChatML, which all of these consumers ship a template for."""
    made = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
    return f"{made}<|im_start|>{ASSISTANT}\n" if asks else made
