"""torchtune: its dataset builders, up to the tokens and the labels of a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.check import Check, Consumer, Meant, Messages, Record
from conformance.consumers._reading import loaded
from conformance.consumers._records import each
from conformance.consumers._shapes import ASSISTANT, chatml, message, parted, sides, takes_turns

Sample = dict[str, Any]


class Characters:
    """A tokenizer of torchtune's protocol whose tokens are characters, and whose template is torchtune's ChatML.

    The rest is what its model tokenizers without special tokens are made of: `tokenize_messages_no_special_tokens`.
    """

    special_tokens: dict[str, int] = {}  # noqa: RUF012 - the protocol has it so
    max_seq_len = None

    def encode(self, text: str, **_: bool) -> list[int]:
        """Return the tokens of a text: its characters."""
        return list(map(ord, text))

    def tokenize_messages(self, messages: Sequence[Any], **_: bool) -> tuple[list[int], list[bool]]:
        """Return the tokens of messages, and which of them are masked."""
        from torchtune.data import ChatMLTemplate
        from torchtune.modules.transforms.tokenizers import tokenize_messages_no_special_tokens

        tokens, mask = tokenize_messages_no_special_tokens(self, ChatMLTemplate()(messages))
        return list(tokens), list(mask)

    def __call__(self, sample: Sample, **_: bool) -> Sample:
        """Return a sample with its messages as tokens, as the model transforms of fine-tuning do."""
        tokens, mask = self.tokenize_messages(sample["messages"])
        return {"tokens": tokens, "mask": mask}


def _text(tokens: Sequence[int]) -> str:
    from torchtune.data import CROSS_ENTROPY_IGNORE_IDX

    return "".join(chr(token) for token in tokens if token != CROSS_ENTROPY_IGNORE_IDX)


def _read(
    path: Path, dataset: Callable[[Characters, dict[str, Any]], Any], made: Callable[[Sample], list[str]]
) -> list[Any]:
    with loaded(path) as arguments:
        samples = dataset(Characters(), arguments)
        return each(range(len(samples)), lambda place: made(samples[place]))


def _read_pairs(path: Path) -> list[Any]:
    def dataset(tokenizer: Characters, arguments: dict[str, Any]) -> Any:
        from torchtune.datasets import preference_dataset

        return preference_dataset(tokenizer, source="json", **arguments)

    keys = [f"{side}_{kind}" for side in ("chosen", "rejected") for kind in ("input_ids", "labels")]
    return _read(path, dataset, lambda sample: [_text(sample[key]) for key in keys])


def _read_chats(path: Path) -> list[Any]:
    def dataset(tokenizer: Characters, arguments: dict[str, Any]) -> Any:
        from torchtune.datasets import chat_dataset

        return chat_dataset(
            tokenizer, source="json", conversation_column="messages", conversation_style="openai", **arguments
        )

    return _read(path, dataset, lambda sample: [_text(sample[key]) for key in ("tokens", "labels")])


def _trained(messages: Messages) -> list[str]:
    # Every message of the assistant is learned from, the shared ones of a pair too.
    whole = [_one(place == len(messages), one) for place, one in enumerate(messages, 1)]
    learned = [text for text, one in zip(whole, messages, strict=True) if one["role"] == ASSISTANT]
    return ["".join(whole), "".join(learned)]


def _one(last: bool, one: dict[str, str]) -> str:  # noqa: FBT001 - private, and says what it is
    # The template leaves the last answer open if it is empty: it takes it for one that is to be generated.
    return chatml([], asks=True) if last and one == message(ASSISTANT, "") else chatml([one])


def _expected_pairs(meant: Meant) -> list[Any]:
    return [[text for side in both for text in _trained(side)]] if (both := sides(meant)) else []


def _expected_chats(meant: Meant) -> list[Any]:
    whole = meant.prompt + meant.chosen
    _, turns = parted(whole)
    # validate_messages: two messages at least, the system's the first if any, and nobody twice in a row.
    return [_trained(whole)] if turns and takes_turns(turns) and len(whole) > 1 else []


def _misnamed(record: Record) -> Record:
    # The key of ShareGPT: no message of this kind has a role.
    return record | {"rejected": [{"from": one["role"], "value": one["content"]} for one in record["rejected"]]}


def _assistant_first(record: Record) -> Record:
    return record | {"messages": [message(ASSISTANT, "Hello."), *record["messages"]]}


CONSUMER = Consumer(
    name="torchtune",
    version="0.6.1",
    # torchtune imports torch and torchao and does not say so; later releases of torchao have no nf4tensor any more.
    requirements=("torchtune==0.6.1", "datasets==5.2.0", "torch==2.13.0", "torchao==0.16.0"),
    checks=(
        Check(
            target="torchtune",
            function="torchtune.datasets.preference_dataset",
            read=_read_pairs,
            expected=_expected_pairs,
            mutate=_misnamed,
        ),
        Check(
            target="torchtune-chat",
            function="torchtune.datasets.chat_dataset",
            read=_read_chats,
            expected=_expected_chats,
            mutate=_assistant_first,
        ),
    ),
)
