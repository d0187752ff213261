"""ms-swift, unpaired preference data. Two records a pair."""

from turnparse._declarations import taking_turns
from turnparse.targets import Constant, Messages, Target

TARGET = Target(
    name="ms-swift-kto",
    about="ms-swift KTO: whole conversations as messages, and a label; two records a pair.",
    link="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    takes=("pair",),
    trains="preference",
    columns={"messages": Messages("whole-chosen"), "label": Constant(value=True)},
    second={"messages": Messages("whole-rejected"), "label": Constant(value=False)},
    rules=taking_turns(
        "it repairs what does not alternate: turns of one speaker are run together, and answers put where there are none",
        "whole-chosen",
        "whole-rejected",
    ),
    loading="swift rlhf --rlhf_type kto --dataset {file} …",
)
