"""TRL's own trainers on outputs of turnparse: `python -m tests.conformance.trainers FILE...`.

Not part of CI, since it needs torch: `pip install torch==2.13.0 trl==1.16.0`. Every file is JSON Lines or Parquet, of
the targets trl, trl-implicit, trl-unpaired, or their standard counterparts. Trainers are made of a tiny model with
random weights, and prepare the file as they would before training: no step of it is made, and nothing is downloaded.

That the records say what the rows meant is the other checks' concern. Here it is checked that of each record every
character reaches the tokens that a trainer trains on, and that the prompt ends where the answer begins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.check import Messages, Record
from conformance.consumers._tokenizer import EOS, ROLES, decoded, rendered, tokenizer
from conformance.consumers.datasets import loads

TRAINERS = {
    frozenset({"prompt", "chosen", "rejected"}): ("DPOTrainer", "RewardTrainer"),
    frozenset({"chosen", "rejected"}): ("DPOTrainer", "RewardTrainer"),
    frozenset({"prompt", "completion", "label"}): ("KTOTrainer",),
}
"""Which trainers take records of which columns."""

SIDES = ("chosen", "rejected", "completion")


def main(files: Sequence[str]) -> int:
    """Print of each file and trainer how many records came through whole; return 1 unless all of them did."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    whole = True
    for file in files:
        rows = loads(Path(file))
        for name in _trainers(rows[0]):
            # DPO raises on a pair that shares nothing, and would prepare no other either.
            given = [row for row in rows if name != "DPOTrainer" or _has_prompt(row)]
            prepared = _prepared(name, given)
            right = sum(_arrived(row) == _meant(name, record) for row, record in zip(prepared, given, strict=False))
            print(  # noqa: T201 - what the script is for
                f"{Path(file).name}: {name} was given {len(given)} of {len(rows)} records,"
                f" prepared {len(prepared)}, {right} of them whole"
            )
            whole &= right == len(given) == len(prepared)
    return not whole


def _trainers(record: Record) -> tuple[str, ...]:
    names = TRAINERS[frozenset(record)]
    # Out of two texts DPO takes for the prompt whatever characters they share, the first of their answers too.
    return ("RewardTrainer",) if "prompt" not in record and isinstance(record["chosen"], str) else names


def _prepared(name: str, rows: list[Record]) -> list[Record]:
    """Return the rows as a trainer has them before its first step."""
    import datasets
    import trl

    config = getattr(trl, name.replace("Trainer", "Config"))
    with TemporaryDirectory() as folder:
        arguments = config(
            output_dir=folder,
            max_length=None,  # else long records are cut, or left out
            per_device_train_batch_size=2,  # of KTO, which pairs a prompt with its neighbour's answer
            bf16=False,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        )
        models = {"model": _model(name)}
        if name != "RewardTrainer":
            models["ref_model"] = _model(name)  # else it is looked up by the model's name, and there is none
        trainer = getattr(trl, name)(
            **models, args=arguments, train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer()
        )
        prepared: list[Record] = trainer.train_dataset.to_list()
    return prepared


def _model(name: str) -> Any:
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        LlamaForSequenceClassification,
    )

    config = LlamaConfig(
        vocab_size=len(tokenizer()),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        num_labels=1,
        bos_token_id=None,
        eos_token_id=tokenizer().eos_token_id,
        pad_token_id=tokenizer().pad_token_id,
    )
    return (LlamaForSequenceClassification if name == "RewardTrainer" else LlamaForCausalLM)(config)


def _arrived(row: Record) -> dict[str, Any]:
    """Return the texts of a row's tokens: of the prompt, if it has one apart, and of each side from its start."""
    prompt = row.get("prompt_ids", [])
    texts: dict[str, Any] = {
        side: decoded([*prompt, *row[f"{side}_ids"]]) for side in SIDES if row.get(f"{side}_ids") is not None
    }
    if "prompt_ids" in row:
        texts["prompt"] = decoded(prompt)
    if "label" in row:
        texts["label"] = row["label"]
    return texts


def _meant(name: str, record: Record) -> dict[str, Any]:
    """Return what is to arrive of a record."""
    sides = {side: record[side] for side in SIDES if side in record}
    prompt = record.get("prompt")
    conversational = not isinstance(next(iter(sides.values())), str)
    if prompt is None and name == "DPOTrainer":
        prompt = _shared(*sides.values())
        sides = {side: said[len(prompt) :] for side, said in sides.items()}
    texts: dict[str, Any] = {
        side: rendered([*(prompt or ()), *said]) if conversational else (prompt or "") + said + EOS
        for side, said in sides.items()
    }
    if name != "RewardTrainer":
        texts["prompt"] = _opened(prompt, sides.values()) if conversational else prompt
    if "label" in record:
        texts["label"] = record["label"]
    return texts


def _has_prompt(record: Record) -> bool:
    return bool(record["prompt"] if "prompt" in record else _shared(record["chosen"], record["rejected"]))


def _opened(prompt: Any, tails: Iterable[Messages]) -> str:
    """Return a prompt's text, up to where both sides part: with an answer's opening, if it is one that follows."""
    answered = all(tail[0]["role"] == "assistant" for tail in tails)
    return rendered(prompt) + (ROLES["assistant"] if answered else "")


def _shared(chosen: Messages, rejected: Messages) -> Messages:
    """Return what both sides share from their start, but for the last message of a side."""
    length = 0
    while length + 1 < min(len(chosen), len(rejected)) and chosen[length] == rejected[length]:
        length += 1
    return chosen[:length]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
