"""Argilla: the mapper through which its client takes records of distilabel's format into a dataset of chat fields."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._records import each, lines, rejected, whole

USER: Record = {
    "id": str(uuid.UUID(int=0)),
    "username": "any",
    "role": "owner",
    "first_name": "any",
    "last_name": None,
    "inserted_at": "2026-01-01T00:00:00",
    "updated_at": "2026-01-01T00:00:00",
}
"""Who the client is told that it is: the one thing that it asks of a server before it takes records."""


@functools.cache
def _mapper() -> Any:
    import argilla  # type: ignore[import-not-found] # only where this consumer is installed
    import httpx  # type: ignore[import-not-found] # the consumer's own
    from argilla.records._mapping import (  # type: ignore[import-not-found] # as above
        IngestedRecordMapper,
    )

    real = httpx.Client
    nowhere = httpx.MockTransport(lambda _: httpx.Response(200, json=USER))
    # The client makes a transport of its own, and lets nobody give it another.
    with mock.patch("httpx.Client", lambda **options: real(**{**options, "transport": nowhere})):
        client = argilla.Argilla(api_url="http://localhost", api_key="none")
    settings = argilla.Settings(
        fields=[argilla.TextField("prompt"), argilla.ChatField("chosen"), argilla.ChatField("rejected")],
        questions=[argilla.LabelQuestion("better", ["chosen", "rejected"])],  # there has to be one
        metadata=[
            argilla.TermsMetadataProperty("prompt_id"),
            argilla.FloatMetadataProperty("chosen_rating"),
            argilla.FloatMetadataProperty("rejected_rating"),
        ],
    )
    return IngestedRecordMapper(dataset=argilla.Dataset("any", settings=settings, client=client), user_id=uuid.uuid4())


def _taken(record: Record) -> Record:
    sent = _mapper()(record).api_model().model_dump()
    return {"fields": sent["fields"], "metadata": sent["metadata"]}


def _expected(meant: Meant) -> Sequence[Any]:
    prompt = next((message["content"] for message in whole(meant) if message["role"] == "user"), "")
    return [{"prompt": prompt, "chosen": whole(meant), "rejected": rejected(meant)}]


def _read(path: Path) -> Sequence[Any]:
    taken = each(lines(path), _taken)
    # The digest and the ratings are distilabel's to check.
    return [
        one["fields"] if isinstance(one, dict) and set(one["metadata"]) >= {"chosen_rating", "rejected_rating"} else one
        for one in taken
    ]


CONSUMER = Consumer(
    name="argilla",
    version="2.8.0",
    requirements=("argilla==2.8.0", "requests"),  # which it imports, and does not say so
    checks=(
        Check(
            target="distilabel",
            function="argilla.records._mapping.IngestedRecordMapper",
            read=_read,
            expected=_expected,
            mutate=lambda record: {
                **record,
                "chosen": [{"from": message["role"], "value": message["content"]} for message in record["chosen"]],
            },
        ),
    ),
)
