"""What several targets have in common: rules, each with what its own consumer does about a row that breaks it, and more."""

from __future__ import annotations

from turnparse._cells import Part
from turnparse._target import Rule

ANSWER = "[aA]"
"""One turn of the assistant."""

QUESTION = "[sS]?[uU]"
"""One turn of the user, and maybe a system message before it."""

ALTERNATING = "[sS]?([uU][aA])*[uU]?"
"""Turns of the user and the assistant by turns, from the user's, and maybe a system message before them."""

TO_USER = "[sS]?([uU][aA])*[uU]"
"""The same, to a turn of the user."""

TO_ASSISTANT = "[sS]?([uU][aA])+"
"""The same, to a turn of the assistant."""

SAYING = "[sua]*"
"""Turns that all say something."""


def one_answer(because: str, *, schema: bool = True) -> tuple[Rule, ...]:
    """Return the rules that either side of a pair ends in one turn of the assistant after what both share."""
    parts: tuple[Part, ...] = ("chosen", "rejected")
    return tuple(Rule(f"{part}-is-one-answer", because, part, ANSWER, schema=schema) for part in parts)


def answers_first(
    because: str, parts: tuple[Part, ...] = ("chosen", "rejected"), *, schema: bool = True
) -> tuple[Rule, ...]:
    """Return the rules that *parts* begin with the assistant, whose cue comes before them."""
    return tuple(Rule(f"{part}-begins-with-assistant", because, part, r"[aA]\w*", schema=schema) for part in parts)


def not_empty(because: str, *parts: Part) -> tuple[Rule, ...]:
    """Return the rules that there is a turn in *parts*."""
    return tuple(Rule(f"{part}-has-messages", because, part, r"\w+") for part in parts)


def no_empty(because: str, *parts: Part) -> tuple[Rule, ...]:
    """Return the rules that no turn of *parts* is empty."""
    return tuple(Rule(f"{part}-without-empty-turns", because, part, SAYING) for part in parts)


def ending_on_assistant(because: str, *parts: Part) -> tuple[Rule, ...]:
    """Return the rules that *parts* end on the assistant."""
    return tuple(Rule(f"{part}-ends-on-assistant", because, part, r"\w*[aA]") for part in parts)


def taking_turns(because: str, *parts: Part) -> tuple[Rule, ...]:
    """Return the rules that the user and the assistant take turns in *parts*, whole conversations, to the assistant."""
    return tuple(Rule(f"{part}-alternates", because, part, TO_ASSISTANT) for part in parts)


def not_within(because: str, text: str) -> tuple[Rule, ...]:
    """Return the rules that the answers of both sides are not found in *text*."""
    parts: tuple[Part, ...] = ("chosen", "rejected")
    return tuple(Rule(f"{part}-is-found", because, part, outside=text) for part in parts)


def single_turn(because: str) -> tuple[Rule, ...]:
    """Return the rules that a pair is one question and two answers."""
    return (Rule("prompt-is-one-question", because, "shared", QUESTION, schema=True), *one_answer(because))


def differing(because: str) -> Rule:
    """Return the rule that the last contents of both sides differ."""
    return Rule("answers-differ", because, differs=True)


AFTER_THE_CUE = "the prompt ends in the assistant's marker, so an answer of anybody else would be put in its mouth"
"""Why what follows such a prompt begins with the assistant."""

AXOLOTL_DUMMY = "<|im_start|>user\n[[dummy_message]]<|im_end|>\n<|im_start|>assistant\n"
"""What stands before the answer in the text in which axolotl looks for it, where its chat template is ChatML."""


def prompt_of_trl(part: Part) -> Rule:
    """Return TRL's rule about the *part* that is a row's prompt."""
    return Rule(
        name="prompt-ends-on-user-or-assistant",
        because="trl.apply_chat_template reads the role of the prompt's last message, and raises on any other",
        part=part,
        pattern=r"\w*[UuAa]",
    )


COMPLETION_OF_TRL = Rule(
    name="completion-is-one-answer",
    because="all of the completion is learnt as the model's own",
    part="completion",
    pattern=ANSWER,
)


def axolotl_dpo(kind: str) -> str:
    """Return how axolotl's configuration names an output for DPO, which it reads as *kind*."""
    return f"""rl: dpo
datasets:
  - path: {{file}}
    ds_type: {{format}}
    split: train
    type: {kind}
"""


LOAD_DATASET = """from datasets import load_dataset

dataset = load_dataset("{format}", data_files="{file}", split="train")"""
"""How most trainers load an output."""
