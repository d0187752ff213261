"""RLHFlow, preference data in its standard format."""

from turnparse._declarations import LOAD_DATASET, one_answer, taking_turns
from turnparse.targets import Constant, Messages, Target

TARGET = Target(
    name="rlhflow",
    about="RLHFlow standard: chosen and rejected as whole conversations, without scores.",
    link="https://huggingface.co/RLHFlow",
    takes=("pair",),
    trains="preference",
    columns={
        "chosen": Messages("whole-chosen"),
        "rejected": Messages("whole-rejected"),
        "chosen_score": Constant(None, "number"),
        "rejected_score": Constant(None, "number"),
    },
    rules=(
        *one_answer("it filters out pairs whose sides part before their last message", schema=False),
        *taking_turns("it filters out conversations in which roles do not alternate", "whole-chosen", "whole-rejected"),
    ),
    loading=LOAD_DATASET,
)
