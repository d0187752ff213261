"""Anthropic: the SDK's types of a request, the request that its client sends, and what its API is known to refuse."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._records import each, lines, whole

REST: Record = {"model": "any", "max_tokens": 1}
"""What a request needs beside what a record says."""

ANSWER: Record = {
    "id": "any",
    "type": "message",
    "role": "assistant",
    "model": "any",
    "content": [],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 0, "output_tokens": 0},
}


@functools.cache
def _types() -> tuple[Any, Any]:
    from anthropic.types import MessageParam  # type: ignore[import-not-found] # only where this consumer is installed
    from anthropic.types.message_create_params import (  # type: ignore[import-not-found] # as above
        MessageCreateParamsNonStreaming,
    )
    from pydantic import TypeAdapter  # type: ignore[import-not-found] # the consumer's own

    return TypeAdapter(MessageCreateParamsNonStreaming), TypeAdapter(list[MessageParam])


@functools.cache
def _client() -> tuple[Any, list[Any]]:
    """Return the SDK's client, on a transport that goes nowhere, and the list of what it sends."""
    import httpx2  # type: ignore[import-not-found] # the consumer's own
    from anthropic import Anthropic  # type: ignore[import-not-found] # as above

    sent: list[Any] = []

    def handle(request: Any) -> Any:
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json=ANSWER)

    return Anthropic(api_key="none", http_client=httpx2.Client(transport=httpx2.MockTransport(handle))), sent


def _request(record: Record) -> Any:
    types, messages = _types()
    types.validate_python({**REST, **record}, strict=True, extra="forbid")
    # The type of a request leaves its messages for later, being Iterable.
    messages.validate_python(record["messages"], strict=True, extra="forbid")
    _accepted(record["messages"])
    client, sent = _client()
    client.messages.create(**REST, **record)
    body = sent.pop()
    return {key: value for key, value in body.items() if key not in REST}


def _accepted(messages: Messages) -> None:
    """Raise as the API does, by its messages: these rules are the server's, and in no type."""
    if not messages or messages[0]["role"] != "user":
        raise ValueError("messages: first message must use the user role")
    if any(message["role"] == "system" for message in messages):
        raise ValueError("messages: a system prompt goes into the top-level parameter")  # models differ in taking it
    if not all(message["content"].strip() for message in messages):
        raise ValueError("messages: text content blocks must be non-empty")
    last = messages[-1]
    if last["role"] == "assistant" and last["content"] != last["content"].rstrip():
        raise ValueError("messages: final assistant content cannot end with trailing whitespace")


def _expected(meant: Meant) -> Sequence[Any]:
    said = whole(meant)
    if said and said[0]["role"] == "system":
        return [{"system": said[0]["content"], "messages": said[1:]}]
    return [{"messages": said}]


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _request)


CONSUMER = Consumer(
    name="anthropic",
    version="2.14.0",
    requirements=("anthropic==2.14.0",),
    how="its types and its client, with what its API is known to refuse",
    checks=(
        Check(
            target="anthropic",
            function="anthropic.Anthropic.messages.create",
            read=_read,
            expected=_expected,
            mutate=lambda record: {"messages": [{**message, "role": "human"} for message in record["messages"]]},
        ),
    ),
)
