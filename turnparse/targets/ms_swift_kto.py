"""ms-swift, unpaired preference data. Two records a pair."""

from turnparse.targets import Constant, Messages, Target

TARGET = Target(
    name="ms-swift-kto",
    about="ms-swift KTO: whole conversations as messages, and a label; two records a pair.",
    link="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    takes=("pair",),
    columns={"messages": Messages("whole-chosen"), "label": Constant(value=True)},
    second={"messages": Messages("whole-rejected"), "label": Constant(value=False)},
    loading="swift rlhf --rlhf_type kto --dataset {file} …",
)
