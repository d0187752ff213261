"""ms-swift, preference data with one rejected answer."""

from turnparse._declarations import differing, one_answer, taking_turns
from turnparse.targets import Content, Keys, LossMark, Messages, Target

SWIFT = Keys(loss=LossMark("loss", learnt=True, masked=False))

TARGET = Target(
    name="ms-swift-response",
    about="ms-swift preference: the chosen side as messages, the other answer as rejected_response.",
    link="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    takes=("pair",),
    trains="preference",
    columns={"messages": Messages("whole-chosen", SWIFT), "rejected_response": Content("rejected")},
    rules=(
        *one_answer("rejected_response takes the place of the last message"),
        *taking_turns(
            "it repairs what does not alternate: turns of one speaker are run together, and answers put where there are none",
            "whole-chosen",
        ),
        differing("ms-swift raises where the rejected response is the chosen one"),
    ),
    loading="swift rlhf --rlhf_type dpo --dataset {file} …",
)
