"""TRL, preference data as text, with an explicit prompt: what trainers of base models want."""

from turnparse._declarations import LOAD_DATASET, answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-standard",
    about="TRL preference, standard: prompt up to the assistant's marker, and the answers after it, as text.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=answers_first(
        "the prompt ends in the assistant's marker, so an answer of anybody else would be put in its mouth"
    ),
    loading=LOAD_DATASET,
)
