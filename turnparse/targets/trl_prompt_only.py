"""TRL, prompts alone: what its GRPO and RLOO trainers sample answers to."""

from turnparse._declarations import LOAD_DATASET, prompt_of_trl
from turnparse.targets import Messages, Target

TARGET = Target(
    name="trl-prompt-only",
    about="TRL prompt-only: the turns before the answer, as messages.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-only",
    takes=("pair", "red-team", "transcript"),
    trains="prompts",
    columns={"prompt": Messages("prompt")},
    rules=(prompt_of_trl("prompt"),),
    loading=LOAD_DATASET,
)
