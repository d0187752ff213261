"""ms-swift, preference data as messages."""

from turnparse._declarations import differing
from turnparse.targets import Keys, LossMark, Messages, Target

SWIFT = Keys(loss=LossMark("loss", learnt=True, masked=False))

TARGET = Target(
    name="ms-swift",
    about="ms-swift preference: the chosen side as messages, the other as rejected_messages.",
    link="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    takes=("pair",),
    columns={"messages": Messages("whole-chosen", SWIFT), "rejected_messages": Messages("whole-rejected", SWIFT)},
    rules=(differing("ms-swift raises where the rejected answer is the chosen one"),),
    loading="swift rlhf --rlhf_type dpo --dataset {file} …",
)
