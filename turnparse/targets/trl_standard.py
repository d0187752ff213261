"""TRL, preference data as text, with an explicit prompt: what trainers of base models want."""

from turnparse._declarations import AFTER_THE_CUE, LOAD_DATASET, answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-standard",
    about="TRL preference, standard: prompt up to the assistant's marker, and the answers after it, as text.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=answers_first(AFTER_THE_CUE),
    loading=LOAD_DATASET,
)
