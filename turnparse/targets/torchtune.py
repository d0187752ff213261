"""torchtune, preference data."""

from turnparse._declarations import ending_on_assistant
from turnparse.targets import Messages, Target

TARGET = Target(
    name="torchtune",
    about="torchtune preference: chosen and rejected as whole conversations.",
    link="https://docs.pytorch.org/torchtune/stable/basics/preference_datasets.html",
    takes=("pair",),
    trains="preference",
    columns={"chosen": Messages("whole-chosen"), "rejected": Messages("whole-rejected")},
    rules=ending_on_assistant(
        "of a side that does not end on the assistant, the end is not learnt", "whole-chosen", "whole-rejected"
    ),
    loading="""from torchtune.datasets import preference_dataset

dataset = preference_dataset(tokenizer, source="json", data_files="{file}", split="train")""",
)
