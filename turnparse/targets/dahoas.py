"""Dahoas' full-hh-rlhf: text, for trlx and others."""

from turnparse._declarations import LOAD_DATASET, answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="dahoas",
    about="Dahoas/full-hh-rlhf: prompt up to the assistant's marker, response, chosen and rejected after it, as text.",
    link="https://huggingface.co/datasets/Dahoas/full-hh-rlhf",
    takes=("pair",),
    columns={
        "prompt": Text("shared", cue="append"),
        "response": Text("chosen", cue="strip"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=answers_first(
        "the prompt ends in the assistant's marker, so an answer of anybody else would be put in its mouth"
    ),
    loading=LOAD_DATASET,
)
