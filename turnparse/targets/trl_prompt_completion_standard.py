"""TRL, prompts and completions as text."""

from turnparse._declarations import LOAD_DATASET, answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-prompt-completion-standard",
    about="TRL prompt-completion, standard: prompt up to the assistant's marker, and the answer, as text.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-completion",
    takes=("pair", "red-team", "transcript"),
    columns={"prompt": Text("prompt", cue="append"), "completion": Text("completion", cue="strip")},
    rules=answers_first(
        "the prompt ends in the assistant's marker, so there must be an answer, and it must be the assistant's",
        ("completion",),
    ),
    loading=LOAD_DATASET,
)
