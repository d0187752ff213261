"""OpenAI: the SDK's own types of messages, and what the guides to fine-tuning say of a record around them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Messages, Record
from conformance.consumers._records import each, lines, whole


@functools.cache
def _types() -> tuple[Any, Any]:
    """Return the types of a conversation, and of an answer."""
    from openai.types.chat import (  # type: ignore[import-not-found] # only where this consumer is installed
        ChatCompletionAssistantMessageParam,
        ChatCompletionMessageParam,
        ChatCompletionToolMessageParam,
    )
    from pydantic import TypeAdapter  # type: ignore[import-not-found] # the consumer's own

    return (
        TypeAdapter(list[ChatCompletionMessageParam]),
        TypeAdapter(list[ChatCompletionAssistantMessageParam | ChatCompletionToolMessageParam]),
    )


def _typed(messages: Any, *, answers: bool = False) -> Messages:
    """Return messages as the SDK's types take them; no key may be left over, and every type is to be exact."""
    typed: Messages = _types()[answers].validate_python(messages, strict=True, extra="forbid")
    # The types let an assistant say nothing, as when it calls a tool; the cookbook's check of a training file does not.
    if not typed or not all(message.get("content") for message in typed):
        raise ValueError("expected messages that all say something")
    return typed


def _keys(record: Record, *required: str, optional: tuple[str, ...] = ()) -> None:
    if not set(required) <= set(record) <= {*required, *optional}:
        raise ValueError(f"unexpected keys: {', '.join(record)}")


def _chat(record: Record) -> Any:
    """Follow the guide to supervised fine-tuning, and the cookbook's "Data preparation for chat fine-tuning"."""
    _keys(record, "messages", optional=("tools", "parallel_tool_calls"))
    bare = []
    for message in record["messages"]:
        # The SDK has no type for training data, in which an assistant's message may carry a weight.
        weight = message.get("weight", 1)
        if "weight" in message and (type(weight) is not int or weight not in (0, 1) or message["role"] != "assistant"):
            raise ValueError("expected a weight of 0 or 1, and on an assistant's message")
        bare.append({key: value for key, value in message.items() if key != "weight"})
    typed = _typed(bare)
    if not any(message["role"] == "assistant" for message in typed):
        raise ValueError("expected an assistant's message to learn from")
    return typed


def _preference(record: Record) -> Any:
    """Follow the guide to direct preference optimization, and Azure's: both answers may hold several messages."""
    _keys(record, "input", "preferred_output", "non_preferred_output")
    given = record["input"]
    _keys(given, "messages", optional=("tools", "parallel_tool_calls"))
    outputs = [_typed(record[side], answers=True) for side in ("preferred_output", "non_preferred_output")]
    if not all(any(message["role"] == "assistant" for message in output) for output in outputs):
        raise ValueError("expected an assistant's message in each output")
    prompt = _typed(given["messages"])
    if prompt[-1]["role"] == "assistant":
        raise ValueError("expected something to answer")
    return prompt, *outputs


def _read(take: Callable[[Record], Any], path: Path) -> Sequence[Any]:
    return each(lines(path), take)


CONSUMER = Consumer(
    name="openai",
    version="3.57.0",
    requirements=("openai==3.57.0",),
    how="its types of messages, with the rules of its documentation around them",
    checks=(
        Check(
            target="openai",
            function="openai.types.chat.ChatCompletionMessageParam",
            read=functools.partial(_read, _chat),
            expected=lambda meant: [whole(meant)],
            mutate=lambda record: {"messages": [{**message, "weight": 0.5} for message in record["messages"]]},
        ),
        Check(
            target="openai-preference",
            function="openai.types.chat.ChatCompletionMessageParam",
            read=functools.partial(_read, _preference),
            expected=lambda meant: [(meant.prompt, meant.chosen, meant.rejected)],
            mutate=lambda record: {**record, "preferred_output": record["preferred_output"][0]},
        ),
    ),
)
