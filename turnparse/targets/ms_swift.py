"""ms-swift, preference data as messages."""

from turnparse._declarations import taking_turns
from turnparse.targets import Keys, LossMark, Messages, Target

SWIFT = Keys(loss=LossMark("loss", learnt=True, masked=False))

TARGET = Target(
    name="ms-swift",
    about="ms-swift preference: the chosen side as messages, the other as rejected_messages.",
    link="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    takes=("pair",),
    trains="preference",
    columns={"messages": Messages("whole-chosen", SWIFT), "rejected_messages": Messages("whole-rejected", SWIFT)},
    rules=taking_turns(
        "it repairs what does not alternate: turns of one speaker are run together, and answers put where there are none",
        "whole-chosen",
        "whole-rejected",
    ),
    loading="swift rlhf --rlhf_type dpo --dataset {file} …",
)
