"""OpenRLHF: the datasets of its trainers of reward models, DPO, SFT and PPO, with a chat template."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from conformance.check import Check, Consumer, Meant, Record
from conformance.consumers._chatml import rendered, text_of, tokenizer
from conformance.consumers._each import by_record

LENGTH: Final = 1 << 20
"""Longer than any record: else a record is cut, or dropped."""


def _strategy(**keys: Any) -> Any:
    """Return what the datasets ask of their trainer: the arguments that begin with ``--data.``."""
    data = SimpleNamespace(apply_chat_template=True, **keys)
    return SimpleNamespace(args=SimpleNamespace(data=data), print=lambda *_: None, is_rank_0=lambda: False)


def _loaded(path: Path, strategy: Any) -> Any:
    """Return the records as the trainers load them."""
    return import_module("openrlhf.datasets.utils").blending_datasets(str(path), None, strategy)


# The trainer of reward models and the one of DPO share a dataset, whose rows differ: both are built.


def _read_pairs(path: Path) -> list[Any]:
    openrlhf = import_module("openrlhf.datasets")
    strategy = _strategy(prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")
    records = _loaded(path, strategy)
    reward, dpo = (
        openrlhf.RewardDataset(records, tokenizer(), LENGTH, strategy, is_dpo=is_dpo, num_processors=None)
        for is_dpo in (False, True)
    )
    return [_pair(reward[at], dpo[at]) for at in range(len(dpo))]


def _pair(reward: Any, dpo: Any) -> Record:
    chosen, _, rejected, _, margin = reward
    dpo_chosen, _, dpo_rejected, _, begins = dpo
    return {
        "reward": [text_of(chosen[0]), text_of(rejected[0]), margin],
        "prompt": text_of(dpo_chosen[0][:begins]),
        "dpo": [text_of(dpo_chosen[0][begins:]), text_of(dpo_rejected[0][begins:])],
    }


def _expected_pair(meant: Meant) -> list[Record]:
    prompt = rendered(meant.prompt, opening=True)
    # The last newline is the template's; the dataset strips it, that a text may end on the token that ends it.
    sides = [rendered(meant.prompt + side).removesuffix("\n") for side in (meant.chosen, meant.rejected or [])]
    answers = [side.removeprefix(prompt) for side in sides]
    return [{"reward": [*sides, 0], "prompt": prompt, "dpo": answers}]


def _read_conversations(path: Path) -> list[Any]:
    openrlhf = import_module("openrlhf.datasets")
    # A column for the last answer, --data.output_key, has no default: where it is forgotten the text is cut in the wrong
    # place, and with --data.multiturn it raises. One column with the whole conversation is read right by both.
    strategy = _strategy(input_key="input", output_key=None)
    records = _loaded(path, strategy)
    last, every = (
        openrlhf.SFTDataset(records, tokenizer(), LENGTH, strategy, num_processors=None, multiturn=multiturn)
        for multiturn in (False, True)
    )
    return [_conversation(last[at], every[at]) for at in range(len(last))]


def _conversation(last: Any, every: Any) -> Record:
    """Return the text of a row, and what of it is trained without --data.multiturn and with it."""
    return {"text": text_of(last[0][0]), "last": _trained(*last), "every": _trained(*every)}


def _trained(ids: Any, _: Any, mask: Any) -> str:
    """Return what of a row is trained: the mask tells the tokens that come *before* those."""
    return text_of(ids[0][1:][mask[0][:-1] == 1])


def _expected_conversation(meant: Meant) -> list[Record]:
    messages = meant.prompt + meant.chosen
    text = rendered(messages).removesuffix("\n")
    answers = [f"{message['content']}<|im_end|>\n" for message in messages if message["role"] == "assistant"]
    return [{"text": text, "last": answers[-1].removesuffix("\n"), "every": "".join(answers).removesuffix("\n")}]


def _read_prompts(path: Path) -> list[Any]:
    openrlhf = import_module("openrlhf.datasets")
    strategy = _strategy(input_key="input", label_key=None)
    dataset = openrlhf.PromptDataset(_loaded(path, strategy), tokenizer(), strategy)
    return [dataset[at] for at in range(len(dataset))]


def _expected_prompt(meant: Meant) -> list[Any]:
    return [("default", rendered(meant.prompt, opening=True), "", None)]


def _swapped(record: Record) -> Record:
    return record | {"chosen": record["rejected"], "rejected": record["chosen"]} if _differs(record) else _bare(record)


def _differs(record: Record) -> bool:
    return bool(record["chosen"] != record["rejected"])


def _bare(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "prompt"}


def _without_last(record: Record) -> Record:
    return record | {"input": record["input"][:-1]}


CONSUMER = Consumer(
    name="openrlhf",
    version="0.11.2",
    requirements=("datasets==5.2.0", "pylatexenc==2.10", "sympy", "torch==2.13.0", "transformers==5.15.0"),
    alone=("openrlhf==0.11.2",),  # whole it asks for DeepSpeed and FlashAttention, which are built on a GPU's compiler
    how="released wheel, without its dependencies on GPUs",
    checks=(
        Check(
            target="openrlhf-reward",
            function="openrlhf.datasets.RewardDataset",
            read=by_record(_read_pairs),
            expected=_expected_pair,
            mutate=_swapped,
        ),
        Check(
            target="openrlhf-sft",
            function="openrlhf.datasets.SFTDataset",
            read=by_record(_read_conversations),
            expected=_expected_conversation,
            mutate=_without_last,
        ),
        Check(
            target="openrlhf-prompts",
            function="openrlhf.datasets.PromptDataset",
            read=by_record(_read_prompts),
            expected=_expected_prompt,
            mutate=_without_last,
        ),
    ),
)
