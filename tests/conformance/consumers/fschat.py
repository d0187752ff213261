"""FastChat: what its cleaning keeps of a ShareGPT conversation, and the prompt that its training makes of that."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._records import each, lines, whole

STUBBED = ("jsonlines", "numpy", "torch", "torch.utils.data", "tqdm", "transformers", "transformers.trainer_pt_utils")
"""What the modules import at their head, for the tokenizer and the trainer: nothing that is called here uses it."""

TEMPLATE = "vicuna_v1.1"
"""The template of FastChat's own models."""


class _Anything(type):
    """A class of which every attribute is one more such class: a stub's names can be imported, and be bases."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Stub(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


@functools.cache
def _modules() -> tuple[Any, Any, str]:
    """Return the cleaning, the training, and the system message of who says none."""
    conversation: Any = importlib.import_module("fastchat.conversation")
    # The adapter of a model imports every model; the one line of it that is used here is what it does for Vicuna.
    adapter = SimpleNamespace(get_conversation_template=conversation.get_conv_template)
    stubs: dict[str, Any] = {name: _Stub(name) for name in STUBBED}
    stubs["fastchat.model"] = SimpleNamespace(model_adapter=adapter)
    stubs["fastchat.model.model_adapter"] = adapter
    with mock.patch.dict(sys.modules, stubs):
        cleaning: Any = importlib.import_module("fastchat.data.split_long_conversation")
        training: Any = importlib.import_module("fastchat.train.train_with_template")
    cleaning.tokenizer = lambda text: SimpleNamespace(input_ids=text)
    cleaning.max_length = sys.maxsize  # nothing is too long
    return cleaning, training, conversation.get_conv_template(TEMPLATE).system_message


def _trained(record: Record) -> str | None:
    cleaning, training, default = _modules()
    kept = cleaning.filter_invalid_roles(cleaning.split_one_sample(record))
    if not kept:
        return None
    # One record at a time, as with --lazy_preprocess: else a system message stays for all the records after its own.
    (prompt,), _ = training.apply_prompt_template(
        [kept[0]["conversations"]], TEMPLATE, systems=[record.get("system", "")]
    )
    text: str = prompt
    return text if record.get("system") else text.removeprefix(default)


def _expected(meant: Meant) -> Sequence[Any]:
    said = whole(meant)
    system = said[0]["content"] if said and said[0]["role"] == "system" else ""
    turns = {"user": "USER: {} ", "assistant": "ASSISTANT: {}</s>"}
    return [
        f"{system} "
        + "".join(turns[message["role"]].format(message["content"]) for message in said if message["role"] != "system")
    ]


def _read(path: Path) -> Sequence[Any]:
    return each(lines(path), _trained)


CONSUMER = Consumer(
    name="fschat",
    version="0.2.36",
    requirements=(),
    alone=("fschat==0.2.36",),
    stubbed=(*STUBBED, "fastchat.model"),
    how="released wheel, without its dependencies, of which stubs stand in for those of its models and trainer",
    checks=(
        Check(
            target="sharegpt",
            function="fastchat.train.train_with_template.apply_prompt_template",
            read=_read,
            expected=_expected,
            mutate=lambda record: {**record, "conversations": record["conversations"][1:]},
        ),
    ),
)
