"""TRL, prompts and completions as text."""

from turnparse._declarations import ANSWER, LOAD_DATASET
from turnparse.targets import Rule, Target, Text

TARGET = Target(
    name="trl-prompt-completion-standard",
    about="TRL prompt-completion, standard: prompt up to the assistant's marker, and the answer, as text.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-completion",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"prompt": Text("prompt", cue="append"), "completion": Text("completion", cue="strip")},
    rules=(
        Rule(
            "completion-is-one-answer",
            "the prompt ends in the assistant's marker, and all of the completion is learnt as the model's own",
            "completion",
            ANSWER,
            schema=True,
        ),
    ),
    loading=LOAD_DATASET,
)
