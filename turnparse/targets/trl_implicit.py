"""TRL, preference data with an implicit prompt: what its RewardTrainer wants."""

from turnparse._declarations import LOAD_DATASET, not_empty
from turnparse.targets import Messages, Target

TARGET = Target(
    name="trl-implicit",
    about="TRL preference, implicit prompt: chosen and rejected as whole conversations.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    trains="preference",
    columns={"chosen": Messages("whole-chosen"), "rejected": Messages("whole-rejected")},
    rules=not_empty("apply_chat_template raises on a conversation without messages", "whole-chosen", "whole-rejected"),
    loading=LOAD_DATASET,
)
