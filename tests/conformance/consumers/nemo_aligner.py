"""NeMo-Aligner: the datasets of its trainers by DPO and KTO and of reward models, read from transcripts as strings."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._each import by_record
from conformance.consumers._transcript import answer, prompt, transcript

LENGTH: Final = 1 << 15
"""Longer than any record: else a record is masked, and one of reward models is silently replaced by a later one."""

SEED: Final = 7
EOS: Final = 256


class _Bytes:
    """A tokenizer as NeMo has them: a token a byte."""

    eos_id = EOS

    def text_to_ids(self, text: str) -> list[int]:
        return list(text.encode())


def _text(tokens: Any) -> str:
    """Return the text of tokens, or of labels: those that pad are none."""
    return bytes(token for token in tokens.tolist() if 0 <= token < EOS).decode()


def _dataset(name: str, path: Path) -> Any:
    """Return the records as the trainers build them of ``model.data.data_prefix``, with ``data_impl: jsonl``."""
    # NeMo itself and Megatron are stubs: their base class of datasets does nothing, and their log must be one.
    vars(import_module("nemo.utils"))["logging"] = logging.getLogger("nemo")
    logging.getLogger("nemo").setLevel(logging.ERROR)  # of each prompt that is a string it says that lists are to come
    builders, datasets = (
        import_module("nemo_aligner.data.nlp.builders"),
        import_module("nemo_aligner.data.nlp.datasets"),
    )
    vars(datasets)["_create_ltor_masks_and_position_ids"] = lambda *_: (None, None, None)  # masks hold no text
    # As in its examples' gpt_dpo.yaml: no token is appended, so that an empty answer leaves nothing to train.
    data = {"data_impl": "jsonl"}
    return builders.build_dataset_generic(
        cls=getattr(datasets, name),
        cfg=import_module("omegaconf").OmegaConf.create({"data": data}),
        data_prefix=[str(path)],
        data_impl=data["data_impl"],
        num_samples=None,
        seq_length=LENGTH,
        seed=SEED,
        tokenizer=_Bytes(),
        name="train",
    )


def _read_pairs(path: Path) -> list[Any]:
    dataset = _dataset("DPOModelDataset", path)
    return [_pair(dataset[at]) for at in range(len(dataset))]


def _pair(row: Record) -> list[Record]:
    if row["ignore_example"]:
        raise ValueError("longer than the model's sequences")
    return [_side(row, side) for side in ("chosen", "rejected")]


def _side(row: Record, side: str) -> Record:
    # Labels are the tokens that come next, so that the last token is among them alone.
    length, labels = row[f"{side}_length"], row[f"{side}_labels"]
    whole = import_module("torch").cat((row[side][:length], labels[length - 1 : length]))
    return {"text": _text(whole), "trained": _text(labels), "reward": row[f"{side}_reward"]}


def _expected_pair(meant: Meant) -> list[list[Record]]:
    sides = ((answer(meant.chosen), 1.0), (answer(meant.rejected or []), 0.0))
    return [[{"text": prompt(meant.prompt) + text, "trained": text, "reward": reward} for text, reward in sides]]


def _read_texts(path: Path) -> list[Any]:
    dataset = _dataset("RewardModelDataset", path)
    # A record is one side, and a row of the dataset two; a last one without a second is left out.
    found = [_text(side) for at in range(len(dataset)) for side in _lengths(dataset[at])]
    return [*found, None] if len(dataset.data) % 2 else found


def _lengths(row: Record) -> list[Any]:
    return [row[side][: row[f"{side}_length"]] for side in ("chosen", "rejected")]


def _expected_texts(meant: Meant) -> list[str]:
    return [transcript(meant.prompt + side) for side in (meant.chosen, meant.rejected or [])]


def _read_answers(path: Path) -> list[Any]:
    import numpy as np

    dataset = _dataset("KTOModelDataset", path)
    # It shuffles its records: the same shuffle of their places tells where each came from.
    places = list(range(len(dataset)))
    np.random.default_rng(SEED).shuffle(places)
    found = {place: _answer(dataset[at]) for at, place in enumerate(places)}
    return [found[place] for place in range(len(found))]


def _answer(row: Record) -> Record:
    if (row["sample_labels"] < 0).all():
        raise ValueError("nothing of it is trained")
    return {
        "prompt": _text(row["prompt_tokens"]),
        "response": _text(row["response_tokens"]),
        "trained": _text(row["sample_labels"]),
        "preference": row["preference"],
    }


def _expected_answers(meant: Meant) -> list[Record]:
    sides = ((answer(meant.chosen), 1), (answer(meant.rejected or []), 0))
    return [
        {"prompt": prompt(meant.prompt), "response": text, "trained": text, "preference": preference}
        for text, preference in sides
    ]


def _as_messages(record: Record) -> Record:
    # Strings and messages are told apart by the prompt alone.
    return record | {"prompt": [{"role": "user", "content": record["prompt"]}]}


def _renamed(record: Record) -> Record:
    return {"content": record["text"]}


def _labelled(record: Record) -> Record:
    answered = {name: record[name] for name in ("prompt", "response")}
    return answered | {"label": record["preference"] == "chosen"}  # as TRL has it


CONSUMER = Consumer(
    name="nemo-aligner",
    version="0.7.0",
    requirements=("numpy", "omegaconf==2.3.0", "scipy", "torch==2.13.0"),
    alone=("nemo-aligner==0.7.0",),
    stubbed=("nemo", "megatron"),  # NeMo 2 asks for Megatron, Transformer Engine and Apex, which ask for a GPU
    how="released wheel, NeMo and Megatron replaced by stubs",
    checks=(
        Check(
            target="nemo-aligner",
            function="nemo_aligner.data.nlp.datasets.DPOModelDataset",
            read=by_record(_read_pairs),
            expected=_expected_pair,
            mutate=_as_messages,
        ),
        Check(
            target="nemo-aligner-rm",
            function="nemo_aligner.data.nlp.datasets.RewardModelDataset",
            read=by_record(_read_texts),
            expected=_expected_texts,
            mutate=_renamed,
        ),
        Check(
            target="nemo-aligner-kto",
            function="nemo_aligner.data.nlp.datasets.KTOModelDataset",
            read=by_record(_read_answers),
            expected=_expected_answers,
            mutate=_labelled,
        ),
    ),
)
