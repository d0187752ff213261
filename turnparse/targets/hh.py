"""Human/Assistant transcripts, as published: the way back."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Target, Text

TARGET = Target(
    name="hh",
    about="Pairs as transcripts, in the dialect's own markers: the format that turnparse reads.",
    link="https://huggingface.co/datasets/Anthropic/hh-rlhf",
    takes=("pair",),
    trains="",
    columns={"chosen": Text("whole-chosen"), "rejected": Text("whole-rejected")},
    singles="hh-transcripts",
    loading=LOAD_DATASET,
)
