"""verl: the datasets of its trainers by reinforcement learning, of SFT and of reward models, which read Parquet."""

from __future__ import annotations

import contextlib
import io
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._chatml import END, rendered, text_of, tokenizer
from conformance.consumers._each import by_record
from conformance.consumers._transcript import answer, prompt

LENGTH: Final = 1 << 15
"""Longer than any record: else a record is cut, dropped or refused; but RMDataset pads each side up to it."""


def _config(settings: Record) -> Any:
    """Return the settings as the trainers hand them on."""
    return import_module("omegaconf").OmegaConf.create(settings)


def _read_prompts(path: Path) -> list[Any]:
    verl = import_module("verl.utils.dataset.rl_dataset")
    # Its filter of long prompts applies the chat template, and drops what that refuses.
    config = _config(
        {"cache_dir": str(path.parent), "max_prompt_length": LENGTH, "filter_overlong_prompts_workers": None}
    )
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = verl.RLHFDataset(str(path), tokenizer(), config)
    return [_prompt(dataset[at]) for at in range(len(dataset))]


def _prompt(row: Record) -> Record:
    # default_compute_score is told the data source, the ground truth and extra_info: all three must be there.
    if not isinstance(row["data_source"], str) or not row["data_source"]:
        raise TypeError("expected a data source that is a text")
    if not isinstance(row["extra_info"]["index"], int):
        raise TypeError("expected an index that is a number")
    made = {"raw_prompt": row["raw_prompt"], "ability": row["ability"], "reward_model": row["reward_model"]}
    # What the rollout does with it: verl.experimental.agent_loop renders raw_prompt, and goes on from there.
    text = tokenizer().apply_chat_template(row["raw_prompt"], add_generation_prompt=True, tokenize=False)
    return made | {"text": text}


def _expected_prompt(meant: Meant) -> list[Record]:
    return [
        {
            "raw_prompt": meant.prompt,
            "ability": "alignment",
            "reward_model": {"style": "model", "ground_truth": meant.chosen[0]["content"]},
            "text": rendered(meant.prompt, opening=True),
        }
    ]


def _read_conversations(path: Path) -> list[Any]:
    verl = import_module("verl.utils.dataset.multiturn_sft_dataset")
    config = _config({"pad_mode": "no_padding", "max_length": LENGTH})
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = verl.MultiTurnSFTDataset(str(path), tokenizer(), config)
    return [_conversation(dataset[at]) for at in range(len(dataset))]


def _conversation(row: Record) -> Record:
    return {"text": text_of(row["input_ids"]), "trained": text_of(row["input_ids"][row["loss_mask"] == 1])}


def _expected_conversation(meant: Meant) -> list[Record]:
    messages = meant.prompt + meant.chosen
    answers = (f"{message['content']}{END}\n" for message in messages if message["role"] == "assistant")
    return [{"text": rendered(messages), "trained": "".join(answers)}]


def _read_pairs(path: Path) -> list[Any]:
    verl = import_module("verl.utils.dataset.rm_dataset")
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = verl.RMDataset(str(path), tokenizer(), max_length=LENGTH, cache_dir=str(path.parent))
    return [_sides(dataset[at]) for at in range(len(dataset))]


def _sides(row: Record) -> list[str]:
    sides = zip(row["input_ids"], row["attention_mask"], strict=True)
    return [text_of(ids[mask == 1]) for ids, mask in sides]


def _expected_pair(meant: Meant) -> list[list[str]]:
    return [[prompt(meant.prompt) + answer(side) + END for side in (meant.chosen, meant.rejected or [])]]


def _without_last(record: Record) -> Record:
    return record | {"prompt": record["prompt"][:-1]}


def _relabelled(record: Record) -> Record:
    *rest, last = record["messages"]
    return record | {"messages": [*rest, last | {"role": "gpt"}]}  # a role that is not trained


def _swapped(record: Record) -> Record:
    return record | {"prompt": record["chosen"], "chosen": record["prompt"]}


CONSUMER = Consumer(
    name="verl",
    version="0.9.1",
    requirements=("torch==2.13.0", "verl==0.9.1"),
    checks=(
        Check(
            target="verl-rl",
            function="verl.utils.dataset.rl_dataset.RLHFDataset",
            read=by_record(_read_prompts),
            expected=_expected_prompt,
            mutate=_without_last,
            ending="parquet",
        ),
        Check(
            target="verl-sft",
            function="verl.utils.dataset.multiturn_sft_dataset.MultiTurnSFTDataset",
            read=by_record(_read_conversations),
            expected=_expected_conversation,
            mutate=_relabelled,
            ending="parquet",
        ),
        Check(
            target="verl-rm",
            function="verl.utils.dataset.rm_dataset.RMDataset",
            read=by_record(_read_pairs),
            expected=_expected_pair,
            mutate=_swapped,
            ending="parquet",
        ),
    ),
)
