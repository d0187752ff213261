"""TRL, preference data with an implicit prompt: what its RewardTrainer wants."""

from turnparse._target import Target

TARGET = Target(
    name="trl-implicit",
    about="TRL preference, implicit prompt: chosen and rejected as whole conversations.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    columns={"chosen": "whole-chosen", "rejected": "whole-rejected"},
)
