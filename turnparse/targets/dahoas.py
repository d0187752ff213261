"""Dahoas' full-hh-rlhf: text, for trlx and others."""

from turnparse._declarations import LOAD_DATASET, one_answer
from turnparse.targets import Target, Text

TARGET = Target(
    name="dahoas",
    about="Dahoas/full-hh-rlhf: prompt up to the assistant's marker, response, chosen and rejected after it, as text.",
    link="https://huggingface.co/datasets/Dahoas/full-hh-rlhf",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "response": Text("chosen", cue="strip"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=one_answer("the prompt ends in the assistant's marker, and one answer of the assistant follows"),
    loading=LOAD_DATASET,
)
