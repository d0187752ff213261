"""Axolotl: its validation of a configuration, and the prompt strategies that it then loads."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._byte_tokenizer import text, tokenizer
from conformance.consumers._reading import module, quiet, rows
from conformance.consumers._records import each
from conformance.consumers._shapes import ASSISTANT, SYSTEM, USER, answers, chatml, message, question
from conformance.consumers._transcript import transcript

Config = dict[str, Any]
Dataset = dict[str, Any]

LENGTH = 10**9
"""No row of any data is as long: none is left out for that."""

TEXTS = ("prompt", "chosen", "rejected")

USER_DEFINED = {
    "field_system": "system",
    "field_prompt": "prompt",
    "field_chosen": "chosen",
    "field_rejected": "rejected",
    "prompt_format": "{system}{prompt}",
    "chosen_format": "{chosen}",
    "rejected_format": "{rejected}",
}
"""Without formats, a prompt is taken as it is and the system message is not looked at."""


def _config(path: Path, kind: str | dict[str, str], **options: Any) -> Any:
    """Return a configuration as axolotl validates it, which keeps fewer of a dataset's keys than its documents say."""
    # It asks whether it may tell its makers that it runs.
    os.environ["AXOLOTL_DO_NOT_TRACK"] = "1"
    quiet("axolotl")
    dataset = {"path": os.fspath(path), "ds_type": "json", "split": "train", "type": kind}
    made = module("axolotl.utils.schemas.config").AxolotlInputConfig(
        base_model="none",
        micro_batch_size=1,
        gradient_accumulation_steps=1,
        learning_rate=1e-6,
        sequence_len=LENGTH,
        chat_template="chatml",
        datasets=[dataset],
        **options,
    )
    return module("axolotl.utils.dict").DictDefault(made.model_dump(exclude_none=True))


def _read_pairs(path: Path, kind: str | dict[str, str]) -> list[Any]:
    config = _config(path, kind, rl="dpo")
    loading = module("axolotl.utils.data.rl")
    # What _load_split makes of a type, and of what its loader gives.
    found = loading.load_dpo(kind if isinstance(kind, str) else "user_defined.default", config, dataset_idx=0)
    transform, options = found if isinstance(found, tuple) else (found, {})
    takes_tokenizer = "tokenizer" in inspect.signature(transform).parameters
    dpo = loading.RLType.DPO

    def read(record: Record) -> list[str] | None:
        kept = {key: value for key, value in record.items() if key not in options.get("remove_columns", ())}
        made = transform(dict(record), **({"tokenizer": tokenizer()} if takes_tokenizer else {}))
        whole = kept | made
        # It also raises on an empty text, and so ends the whole run.
        fits = loading._drop_long_sequences(whole, dpo, tokenizer(), LENGTH)  # noqa: SLF001 - what _load_split filters by
        return [whole[key] for key in TEXTS] if fits else None

    return each(rows(path), read)


def _pairs(kind: str | dict[str, str]) -> Callable[[Path], list[Any]]:
    return lambda path: _read_pairs(path, kind)


def _read_bradley_terry(path: Path) -> list[Any]:
    config = _config(path, "bradley_terry.chat_template", reward_model=True)
    load = module("axolotl.prompt_strategies.bradley_terry").load
    strategy = load("chat_template", tokenizer(), config, config["datasets"][0])

    def read(record: Record) -> list[str]:
        made = strategy.tokenize_prompt(dict(record))
        return [text(made[key]) for key in ("chosen_ids", "rejected_ids")]

    return each(rows(path), read)


def _expected_chat_template(meant: Meant) -> list[Any]:
    both = answers(meant)
    # Nothing cannot be rendered. An answer is looked for in a rendered exchange that begins with a made-up message, and is cut off from where it is
    # first found: an empty one, or one that the made-up part holds, is not found where it stands.
    made_up = chatml([message(USER, "[[dummy_message]]")], asks=True)
    if both is None or not meant.prompt or any(one in made_up for one in both):
        return []
    return [[chatml(meant.prompt, asks=True), *(f"{one}<|im_end|>" for one in both)]]


def _expected_chatml(meant: Meant) -> list[Any]:
    both, asked = answers(meant), question(meant)
    if both is None or asked is None:
        return []
    # An empty system message is left out.
    turns = [message(SYSTEM, asked[0])] if asked[0] else []
    return [[chatml([*turns, message(USER, asked[1])], asks=True), *(f"{one}<|im_end|>" for one in both)]]


def _expected_user_defined(meant: Meant) -> list[Any]:
    both = answers(meant)
    # No text may be empty: axolotl takes it for missing.
    if both is None or not all(both):
        return []
    return [[transcript(meant.prompt) + "\n\nAssistant:", *(f" {one}" for one in both)]]


def _expected_bradley_terry(meant: Meant) -> list[Any]:
    both, asked = answers(meant), question(meant)
    if both is None or asked is None:
        return []
    # Without a system message there is an empty one, for the column has to be there; only `drop_system_message: true`
    # keeps it out, and with it every other.
    turns = [message(SYSTEM, asked[0]), message(USER, asked[1])]
    return [[chatml([*turns, message(ASSISTANT, one)]) for one in both]]


def _renamed(old: str, new: str) -> Callable[[Record], Record]:
    return lambda record: {new if key == old else key: value for key, value in record.items()}


def _answer_cut(record: Record) -> Record:
    return record | {"chosen": record["chosen"][:-1]}


def _system_missing(record: Record) -> Record:
    # As null is: axolotl drops such columns, and then looks for this one.
    return record | {"system": None}


CHATML = "axolotl.prompt_strategies.dpo.chatml"

CONSUMER = Consumer(
    name="axolotl",
    version="0.19.0",
    # Those of its dependencies that are imported on the way, at its own pins; the others want a GPU, or a cloud.
    requirements=(
        "torch==2.13.0",
        "transformers==5.16.1",
        "datasets==4.8.4",
        "accelerate==1.13.0",
        "peft==0.20.0",
        "trl==1.9.0",
        "pydantic==2.12.5",
        "numba==0.68.1",
        "addict==2.4.0",
        "colorama==0.4.6",
        "pillow==13.0.0",
    ),
    alone=("axolotl==0.19.0",),
    stubbed=("posthog",),
    checks=(
        Check(
            target="axolotl-chat-template",
            function="axolotl.prompt_strategies.dpo.chat_template.default",
            read=_pairs("chat_template.default"),
            expected=_expected_chat_template,
            mutate=_renamed("messages", "prompt"),
        ),
        Check(
            target="axolotl-argilla-chat",
            function="axolotl.prompt_strategies.dpo.chat_template.argilla_chat",
            read=_pairs("chat_template.argilla_chat"),
            expected=_expected_chat_template,
            mutate=_answer_cut,
        ),
        Check(
            target="axolotl-chatml-intel",
            function=f"{CHATML}.intel",
            read=_pairs("chatml.intel"),
            expected=_expected_chatml,
            mutate=_renamed("question", "prompt"),
        ),
        Check(
            target="axolotl-chatml-icr",
            function=f"{CHATML}.icr",
            read=_pairs("chatml.icr"),
            expected=_expected_chatml,
            mutate=_renamed("input", "prompt"),
        ),
        Check(
            target="axolotl-chatml-prompt-pairs",
            function=f"{CHATML}.prompt_pairs",
            read=_pairs("chatml.prompt_pairs"),
            expected=_expected_chatml,
            mutate=_renamed("prompt", "question"),
        ),
        Check(
            target="axolotl-chatml-argilla",
            # Documented as chatml.argilla, which no longer exists.
            function=f"{CHATML}.default",
            read=_pairs("chatml.default"),
            expected=_expected_chatml,
            mutate=_renamed("chosen_response", "chosen_answer"),
        ),
        Check(
            target="axolotl-chatml-ultra",
            function=f"{CHATML}.ultra",
            read=_pairs("chatml.ultra"),
            expected=_expected_chatml,
            mutate=_answer_cut,
        ),
        Check(
            target="axolotl-bradley-terry",
            function="axolotl.prompt_strategies.bradley_terry.chat_template.BTChatTemplateStrategy",
            read=_read_bradley_terry,
            expected=_expected_bradley_terry,
            mutate=_system_missing,
        ),
        Check(
            target="axolotl-user-defined",
            function="axolotl.prompt_strategies.dpo.user_defined.default",
            read=_pairs(USER_DEFINED),
            expected=_expected_user_defined,
            mutate=_renamed("prompt", "question"),
        ),
    ),
    how="released wheel, without its dependencies",
)
