"""LLaMA-Factory: its reading of a dataset_info.json, its converters, and its processors up to tokens and labels."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._byte_tokenizer import text, tokenizer
from conformance.consumers._reading import module, quiet, rows
from conformance.consumers._records import each
from conformance.consumers._shapes import ASSISTANT, answers, asks, chatml, message, parted, sides, takes_turns

Entry = dict[str, Any]

SIDE_FILE = "dataset_info.json"

ALPACA: Entry = {
    "ranking": True,
    # Once there are columns, those that are not named are taken for missing, the defaults too.
    "columns": {
        "prompt": "instruction",
        "query": "input",
        "history": "history",
        "system": "system",
        "chosen": "chosen",
        "rejected": "rejected",
    },
}
SHAREGPT: Entry = {
    "formatting": "sharegpt",
    "ranking": True,
    "columns": {"messages": "conversations", "system": "system", "chosen": "chosen", "rejected": "rejected"},
}
KTO: Entry = {"formatting": "sharegpt", "columns": {"messages": "conversations", "kto_tag": "kto_tag"}}


def _attributes(path: Path, entry: Entry) -> Any:
    """Return what LLaMA-Factory makes of the entry beside a file, or of the one in its documentation if none is there."""
    get_dataset_list = module("llamafactory.data.parser").get_dataset_list
    beside = path.with_name(SIDE_FILE)
    entries: dict[str, Entry] = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    names = [name for name, one in entries.items() if one.get("file_name") == path.name]
    # The folder, not what was read of it: LLaMA-Factory reads the file itself.
    made = get_dataset_list(names, str(path.parent)) if names else get_dataset_list(["it"], {"it": _named(path, entry)})
    return made[0]


def _named(path: Path, entry: Entry) -> Entry:
    return {"file_name": path.name, **entry}


def _read(path: Path, entry: Entry, stage: str, keys: tuple[str, ...]) -> list[Any]:
    quiet("llamafactory")
    attributes = _attributes(path, entry)
    if attributes.ranking != (stage == "rm"):
        raise ValueError(
            "The dataset is not applicable in the current training stage."
        )  # as _get_merged_dataset has it
    arguments = SimpleNamespace(cutoff_len=10**9, media_dir="")
    convert = module("llamafactory.data.converter").get_dataset_converter(attributes.formatting, attributes, arguments)
    template = module("llamafactory.data.template").TEMPLATES["chatml"]
    # The one that get_dataset takes for the stage.
    processor = module("llamafactory.data.loader")._get_dataset_processor(arguments, stage, template, tokenizer(), None)  # noqa: SLF001

    def read(record: Record) -> list[Any] | None:
        batch = {key: [value] for key, value in convert(record).items()}
        made = processor.preprocess_dataset(batch)
        return [_shown(value) for key in keys for value in made[key]] or None

    return each(rows(path), read)


def _shown(value: Any) -> Any:
    return text(value) if isinstance(value, list) else value


def _read_pairs(path: Path, entry: Entry) -> list[Any]:
    sides = ("chosen", "rejected")
    return _read(path, entry, "rm", tuple(f"{side}_{kind}" for side in sides for kind in ("input_ids", "labels")))


def _read_alpaca(path: Path) -> list[Any]:
    return _read_pairs(path, ALPACA)


def _read_sharegpt(path: Path) -> list[Any]:
    return _read_pairs(path, SHAREGPT)


def _read_kto(path: Path) -> list[Any]:
    return _read(path, KTO, "kto", ("input_ids", "labels", "kto_tags"))


def _held(meant: Meant) -> tuple[str, str] | None:
    # Prompts take turns and end on the user; either side answers once.
    return answers(meant) if asks(parted(meant.prompt)[1]) else None


def _answered(prompt: Messages, answer: str) -> list[str]:
    return [chatml([*prompt, message(ASSISTANT, answer)]), f"{answer}<|im_end|>\n"]


def _expected_pairs(meant: Meant) -> list[Any]:
    return [[made for one in both for made in _answered(meant.prompt, one)]] if (both := _held(meant)) else []


def _expected_kto(meant: Meant) -> list[Any]:
    # Each side is a conversation of its own, of which the last answer is learnt.
    both = sides(meant)
    if both is None or any(not said or asks(parted(said)[1]) or not takes_turns(parted(said)[1]) for said in both):
        return []
    # A good answer that is empty cannot be told from the empty one that LLaMA-Factory puts beside it: it turns bad.
    if not both[0][-1]["content"]:
        return []
    return [[*_answered(said[:-1], said[-1]["content"]), good] for said, good in zip(both, (True, False), strict=True)]


def _prompt_for_instruction(record: Record) -> Record:
    # The name of TRL and of others: LLaMA-Factory has no such column.
    return {"prompt" if key == "instruction" else key: value for key, value in record.items()}


def _even_prompt(record: Record) -> Record:
    # An answer that both sides share is no prompt: such rows are left out with a line in the log.
    return record | {"conversations": [*record["conversations"], {"from": "gpt", "value": "Well."}]}


CONSUMER = Consumer(
    name="llamafactory",
    version="0.9.5",
    # Without its dependencies, which hold gradio, av and torchaudio to old releases; with those that are imported here.
    requirements=("torch==2.13.0", "transformers==5.6.0", "datasets==4.0.0", "peft==0.18.1", "accelerate==1.11.0"),
    alone=("llamafactory==0.9.5",),
    stubbed=("torchaudio",),
    checks=(
        Check(
            target="llama-factory-alpaca",
            function="llamafactory.data.converter.AlpacaDatasetConverter, "
            "llamafactory.data.processor.PairwiseDatasetProcessor",
            read=_read_alpaca,
            expected=_expected_pairs,
            mutate=_prompt_for_instruction,
        ),
        Check(
            target="llama-factory-sharegpt",
            function="llamafactory.data.converter.SharegptDatasetConverter, "
            "llamafactory.data.processor.PairwiseDatasetProcessor",
            read=_read_sharegpt,
            expected=_expected_pairs,
            mutate=_even_prompt,
        ),
        Check(
            target="llama-factory-kto",
            function="llamafactory.data.converter.SharegptDatasetConverter, "
            "llamafactory.data.processor.FeedbackDatasetProcessor",
            read=_read_kto,
            expected=_expected_kto,
            mutate=_even_prompt,
        ),
    ),
    how="released wheel, without its dependencies",
)
