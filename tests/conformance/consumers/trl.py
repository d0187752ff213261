"""TRL: the functions that turn a row of each of its dataset types into the text that is tokenized."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._records import each, rejected, whole
from conformance.consumers._tokenizer import CLOSE, ROLES, decoded, rendered, tokenizer
from conformance.consumers._transcript import LABELS, transcript
from conformance.consumers.datasets import loads

Taken = dict[str, Any]

# How each dataset type is read. A row comes out of datasets.load_dataset, as it does for TRL's trainers.


def _templated(row: Record) -> Taken:
    from trl.data_utils import apply_chat_template, is_conversational, maybe_extract_prompt

    if "prompt" in row:
        row = maybe_extract_prompt(row)  # for what this leaves alone, the trainers ask only whether there is a prompt
    # TRL asks this of whichever column comes first out of a set: here of each, so that chance has no say.
    for column in row.keys() & {"prompt", "completion", "chosen", "rejected", "messages"}:
        if not is_conversational({column: row[column]}):
            raise TypeError(f"{column} is not taken for a conversation")
    return _labelled(row, apply_chat_template(row, tokenizer()))


def _implicit(row: Record) -> Taken:
    from trl.data_utils import extract_prompt

    # The reward trainer takes the sides as they are; those of DPO and KTO extract the prompt of such rows first.
    return {"whole": _templated(row), "extracted": extract_prompt(row)}


def _tokenized(row: Record) -> Taken:
    from trl.data_utils import _tokenize, maybe_apply_chat_template, maybe_extract_prompt

    if "prompt" in row:
        row = maybe_extract_prompt(row)
    row = maybe_apply_chat_template(row, tokenizer())
    prompt = row.get("prompt", "")
    # As the trainers do: the prompt alone, then together with each side, to find where the prompt ends.
    taken: Taken = {
        column: decoded(_tokenize(tokenizer(), prompt + row[column])["input_ids"])
        for column in ("text", "completion", "chosen", "rejected")
        if column in row
    }
    if "prompt" in row:
        taken["prompt"] = decoded(_tokenize(tokenizer(), prompt)["input_ids"])
    return _labelled(row, taken)


def _labelled(row: Record, taken: Taken) -> Taken:
    # As JSON has it, since 1 == True.
    return {**taken, "label": json.dumps(row["label"])} if "label" in row else taken


# What is to arrive.


def _cut(prompt: Messages, *tails: Messages) -> tuple[str, ...]:
    """Return the prompt's text and those of what comes after it, as a template with a generation prompt has them."""
    text = rendered(prompt)
    ends = prompt[-1]["role"] if prompt else None
    if ends == "assistant":
        text = text.removesuffix(CLOSE)  # the message is to be continued, so it is left open
    elif all(tail and tail[0]["role"] == "assistant" for tail in tails):
        text += ROLES["assistant"]
    return (text, *(rendered([*prompt, *tail]).removeprefix(text) for tail in tails))


def _texts(prompt: Messages, *tails: Messages) -> tuple[str, ...]:
    """Return the prompt's text and those of both together: the marker of an answer is the prompt's."""
    opened = all(tail and tail[0]["role"] == "assistant" for tail in tails)
    return (
        transcript(prompt) + (LABELS["assistant"] if opened else ""),
        *(transcript([*prompt, *tail]) for tail in tails),
    )


def _preference(pair: Callable[..., tuple[str, ...]], meant: Meant) -> Sequence[Any]:
    return [dict(zip(("prompt", "chosen", "rejected"), pair(meant.prompt, meant.chosen, meant.rejected), strict=True))]


def _unpaired(pair: Callable[..., tuple[str, ...]], meant: Meant) -> Sequence[Any]:
    sides = ((meant.chosen, "true"), (meant.rejected, "false"))
    return [
        {**dict(zip(("prompt", "completion"), pair(meant.prompt, side), strict=True)), "label": label}
        for side, label in sides
    ]


def _completion(pair: Callable[..., tuple[str, ...]], meant: Meant) -> Sequence[Any]:
    return [dict(zip(("prompt", "completion"), pair(meant.prompt, meant.chosen), strict=True))]


def _prompt(pair: Callable[..., tuple[str, ...]], meant: Meant) -> Sequence[Any]:
    return [{"prompt": pair(meant.prompt)[0]}]


def _sides(meant: Meant) -> Sequence[Any]:
    extracted = {"prompt": meant.prompt, "chosen": meant.chosen, "rejected": meant.rejected}
    texts = {"chosen": rendered(whole(meant)), "rejected": rendered(rejected(meant))}
    return [{"whole": texts, "extracted": extracted}]


# What it must not take for the same: messages as ShareGPT has them; texts in a column of another name.


def _renamed(column: str, record: Record) -> Record:
    return {
        **record,
        column: [{"from": message["role"], "value": message["content"]} for message in record[column]],
    }


def _moved(column: str, record: Record) -> Record:
    return {{column: "content"}.get(key, key): value for key, value in record.items()}


def _check(
    target: str,
    column: str,
    expected: Callable[[Meant], Sequence[Any]],
    take: Callable[[Record], Taken] = _templated,
    function: str = "trl.data_utils.apply_chat_template",
) -> Check:
    mutate = _moved if take is _tokenized else _renamed
    return Check(
        target=target,
        function=function,
        read=functools.partial(_read, take),
        expected=expected,
        mutate=functools.partial(mutate, column),
    )


def _read(take: Callable[[Record], Taken], path: Path) -> Sequence[Any]:
    return each(loads(path), take)


def _standard(target: str, column: str, expected: Callable[[Meant], Sequence[Any]]) -> Check:
    return _check(target, column, expected, _tokenized, "trl.data_utils._tokenize")


CONSUMER = Consumer(
    name="trl",
    version="1.16.0",
    requirements=("datasets==5.2.0", "transformers==5.24.0", "jinja2"),
    alone=("trl==1.16.0",),  # what is called needs no torch; tests.conformance.trainers runs what does
    how="released wheel, without its dependencies",
    checks=(
        _check("trl", "chosen", functools.partial(_preference, _cut)),
        _check("trl-implicit", "chosen", _sides, _implicit, "trl.data_utils.apply_chat_template and extract_prompt"),
        _check("trl-unpaired", "completion", functools.partial(_unpaired, _cut)),
        _check("trl-prompt-completion", "completion", functools.partial(_completion, _cut)),
        _check("trl-prompt-only", "prompt", functools.partial(_prompt, _cut)),
        _check("messages", "messages", lambda meant: [{"text": rendered(whole(meant))}]),
        _standard("trl-text", "text", lambda meant: [{"text": transcript(whole(meant))}]),
        _standard("trl-standard", "chosen", functools.partial(_preference, _texts)),
        _standard(
            "trl-implicit-standard",
            "chosen",
            lambda meant: [{"chosen": transcript(whole(meant)), "rejected": transcript(rejected(meant))}],
        ),
        _standard("trl-unpaired-standard", "completion", functools.partial(_unpaired, _texts)),
        _standard("trl-prompt-completion-standard", "completion", functools.partial(_completion, _texts)),
        _standard("trl-prompt-only-standard", "prompt", functools.partial(_prompt, _texts)),
    ),
)
