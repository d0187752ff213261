"""NeMo-RL: the rules that its documentation and its source state for preference data in the rank format.

What the package index has under its name is a placeholder, version 0.0.0, that says so; NeMo-RL is installed from its
repository alone. So its rules are written down here, as they are read in the repository at about version 0.5: those of
``docs/guides/dpo.md``, and of what reads the records, ``PreferenceDataset`` (``datasets.load_dataset("json", ...)``),
``preference_preprocessor``, and ``preference_collate_fn``, which trains the last message only, whoever says it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from conformance.check import Check, Consumer, Meant, Messages, Record

ROLES: Final = frozenset({"system", "user", "assistant"})


class RefusedError(ValueError):
    """A record that breaks a rule."""


def _demand(kept: bool, rule: str) -> None:  # noqa: FBT001  # read as a sentence: demand that this holds
    if not kept:
        raise RefusedError(rule)


def _messages(value: Any) -> Messages:
    """Return *value*, if it is a list of messages: a role that is known and a text each, and nothing else."""
    _demand(isinstance(value, list), "messages are a list")
    for message in value:
        _demand(isinstance(message, dict) and set(message) == {"role", "content"}, "a message is a role and a content")
        _demand(message["role"] in ROLES, "a role is system, user or assistant")
        _demand(isinstance(message["content"], str), "a content is a text")
    return list(value)


def _arrives(record: Record) -> dict[str, Messages]:
    """Return what `preference_preprocessor` makes of a record: two conversations, of which the last message counts."""
    _demand(set(record) >= {"context", "completions"}, "there are a context and completions")
    context = _messages(record["context"])
    # The rest of what is demanded of the context is so that the message trained is an answer to a user.
    _demand(bool(context) and context[-1]["role"] == "user", "the context ends on the user")
    _demand(all(message["role"] != "system" for message in context[1:]), "only the first message is the system's")
    completions = record["completions"]
    _demand(isinstance(completions, list) and len(completions) == 2, "RM/DPO training supports only two completions")
    for completion in completions:
        _demand(set(completion) == {"rank", "completion"}, "a completion has a rank and its messages")
        _demand(type(completion["rank"]) is int, "a rank is an integer")
        answer = _messages(completion["completion"])
        _demand([message["role"] for message in answer] == ["assistant"], "each completion is a single response")
    chosen, rejected = sorted(completions, key=lambda completion: int(completion["rank"]))
    _demand(chosen["rank"] != rejected["rank"], "ties are not supported")
    return {"chosen": context + chosen["completion"], "rejected": context + rejected["completion"]}


def _read(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as lines:
        return [_answer(json.loads(line)) for line in lines]


def _answer(record: Record) -> Any:
    try:
        return _arrives(record)
    except (RefusedError, TypeError) as error:
        return error


def _expected(meant: Meant) -> list[dict[str, Messages]]:
    return [{"chosen": meant.prompt + meant.chosen, "rejected": meant.prompt + (meant.rejected or [])}]


def _tied(record: Record) -> Record:
    return record | {"completions": [completion | {"rank": 0} for completion in record["completions"]]}


CONSUMER = Consumer(
    name="nemo-rl",
    version="0.5.0",
    requirements=(),
    how="rules of its documentation",
    checks=(
        Check(
            target="nemo-rl",
            function="nemo_rl.data.processors.preference_preprocessor",
            read=_read,
            expected=_expected,
            mutate=_tied,
        ),
    ),
)
