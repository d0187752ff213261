"""TRL, prompts alone, as text."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-prompt-only-standard",
    about="TRL prompt-only, standard: the turns before the answer as text, up to the assistant's marker.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-only",
    takes=("pair", "red-team", "transcript"),
    trains="prompts",
    columns={"prompt": Text("prompt", cue="append")},
    loading=LOAD_DATASET,
)
