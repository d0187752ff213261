"""ms-swift: its preprocessors, and its templates up to tokens and labels."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._byte_tokenizer import text, tokenizer
from conformance.consumers._reading import loaded, module, quiet
from conformance.consumers._records import each
from conformance.consumers._shapes import ASSISTANT, USER, answers, asks, chatml, message, parted, sides, takes_turns


@cache
def _template(mode: str) -> Any:
    """Return a template of what is trained with preferences, for a model that there is none of."""
    processor = tokenizer()
    processor.model_info = SimpleNamespace(config=None, task_type="causal_lm", max_model_len=10**9, model_dir="")
    processor.model_meta = SimpleNamespace(is_multimodal=False, template="chatml")
    # Only the last answer is learned from: the default of `swift rlhf`.
    template = module("swift.template").get_template(processor, template_type="chatml", loss_scale="last_round")
    template.set_mode(mode)
    return template


def _read(path: Path, mode: str, keys: tuple[str, ...]) -> list[Any]:
    preprocessors = module("swift.dataset.preprocessor")
    datasets = module("datasets")
    quiet("swift")
    with loaded(path) as arguments:
        dataset = datasets.load_dataset("json", **arguments)
        # What AutoPreprocessor, and so load_dataset, does with a file: but row by row, so that one that is left out is
        # known.
        preprocessor = preprocessors.AutoPreprocessor()._get_preprocessor(dataset)  # noqa: SLF001
        records = list(preprocessor.safe_rename_columns(dataset, preprocessor.columns))

    def read(record: Record) -> list[Any] | None:
        batch = {key: [value] for key, value in record.items()}
        made = preprocessor.batched_preprocess(batch, strict=False, ignore_max_length_error=True)
        if not made["messages"]:
            return None
        row = {key: values[0] for key, values in made.items() if key in preprocessor.standard_keys}
        encoded = _template(mode).encode(row)
        return [_shown(encoded[key]) for key in keys]

    return each(records, read)


def _shown(value: Any) -> Any:
    return text(value) if isinstance(value, list) else value


def _read_pairs(path: Path) -> list[Any]:
    return _read(path, "rlhf", tuple(f"{side}_{kind}" for side in ("chosen", "rejected") for kind in KINDS))


def _read_kto(path: Path) -> list[Any]:
    return _read(path, "kto", (*(f"chosen_{kind}" for kind in KINDS), "label"))


KINDS = ("input_ids", "labels")


def _held(messages: Messages) -> bool:
    # Messages of the same role are run together without a space, and before an assistant who begins a user is put.
    _, turns = parted(messages)
    return bool(turns) and takes_turns(turns) and not asks(turns)


def _learned(messages: Messages) -> list[str]:
    return [chatml(messages), f"{messages[-1]['content']}<|im_end|>\n"]


def _expected_messages(meant: Meant) -> list[Any]:
    both = sides(meant)
    return [[made for side in both for made in _learned(side)]] if both and all(map(_held, both)) else []


def _expected_response(meant: Meant) -> list[Any]:
    both = answers(meant)
    # The rejected response takes the place of all after the user's last message, and may not equal the answer.
    if both is None or both[0] == both[1] or not asks(parted(meant.prompt)[1]):
        return []
    return [[made for one in both for made in _learned([*meant.prompt, message(ASSISTANT, one)])]]


def _expected_kto(meant: Meant) -> list[Any]:
    both = sides(meant)
    if not both or not all(map(_held, both)):
        return []
    return [[*_learned(side), good] for side, good in zip(both, (True, False), strict=True)]


def _nameless(record: Record) -> Record:
    # A role that is none of ms-swift's: the row is left out.
    return record | {"messages": [message("prompter", one["content"]) for one in record["messages"]]}


def _equal(record: Record) -> Record:
    return record | {"rejected_response": record["messages"][-1]["content"]}


def _user_twice(record: Record) -> Record:
    return record | {"messages": [message(USER, "Well."), *record["messages"]]}


FUNCTION = "swift.dataset.preprocessor.MessagesPreprocessor, swift.template.Template.encode"

CONSUMER = Consumer(
    name="ms-swift",
    version="4.6.0",
    # It needs torch and does not say so.
    requirements=("ms-swift==4.6.0", "torch==2.13.0"),
    checks=(
        Check(
            target="ms-swift",
            function=FUNCTION,
            read=_read_pairs,
            expected=_expected_messages,
            mutate=_nameless,
        ),
        Check(
            target="ms-swift-response",
            function=FUNCTION,
            read=_read_pairs,
            expected=_expected_response,
            mutate=_equal,
        ),
        Check(
            target="ms-swift-kto",
            function=FUNCTION,
            read=_read_kto,
            expected=_expected_kto,
            mutate=_user_twice,
        ),
    ),
)
