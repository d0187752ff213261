"""Human/Assistant transcripts, one a row: the way back of what is no pair."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Target, Text

TARGET = Target(
    name="hh-transcripts",
    about="One conversation a row as a transcript; of a pair the side that --side names; red-team metadata beside it.",
    link="https://huggingface.co/datasets/Anthropic/hh-rlhf",
    takes=("pair", "red-team", "transcript"),
    trains="",
    columns={"transcript": Text("conversation")},
    metadata=True,
    loading=LOAD_DATASET,
)
