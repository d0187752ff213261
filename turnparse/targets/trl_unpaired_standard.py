"""TRL, unpaired preference data as text. Two records a pair."""

from turnparse._declarations import AFTER_THE_CUE, LOAD_DATASET, answers_first
from turnparse.targets import Constant, Target, Text

TARGET = Target(
    name="trl-unpaired-standard",
    about="TRL unpaired preference, standard: prompt and completion as text, and a label; two records a pair.",
    link="https://huggingface.co/docs/trl/dataset_formats#unpaired-preference",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "completion": Text("chosen", cue="strip"),
        "label": Constant(value=True),
    },
    second={
        "prompt": Text("shared", cue="append"),
        "completion": Text("rejected", cue="strip"),
        "label": Constant(value=False),
    },
    rules=answers_first(AFTER_THE_CUE),
    loading=LOAD_DATASET,
)
