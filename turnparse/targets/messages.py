"""Chat messages, one conversation a row: what nearly every trainer and every chat template reads."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Messages, Target

TARGET = Target(
    name="messages",
    about="One conversation a row as messages; of a pair the side that --side names; red-team metadata beside it.",
    link="https://huggingface.co/docs/trl/dataset_formats#language-modeling",
    takes=("pair", "red-team", "transcript"),
    trains="",
    columns={"messages": Messages("conversation")},
    metadata=True,
    loading=LOAD_DATASET,
)
