"""RLHFlow, preference data in its standard format."""

from turnparse._declarations import LOAD_DATASET, alternating, ending_on_assistant
from turnparse.targets import Constant, Messages, Target

TARGET = Target(
    name="rlhflow",
    about="RLHFlow standard: chosen and rejected as whole conversations, without scores.",
    link="https://huggingface.co/RLHFlow",
    takes=("pair",),
    columns={
        "chosen": Messages("whole-chosen"),
        "rejected": Messages("whole-rejected"),
        "chosen_score": Constant(None, "number"),
        "rejected_score": Constant(None, "number"),
    },
    rules=(
        *alternating("it filters out conversations in which roles do not alternate", "whole-chosen", "whole-rejected"),
        *ending_on_assistant(
            "it filters out conversations that do not end on the assistant", "whole-chosen", "whole-rejected"
        ),
    ),
    loading=LOAD_DATASET,
)
