"""TRL, preference data as text, with an implicit prompt."""

from turnparse._declarations import LOAD_DATASET, not_empty
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-implicit-standard",
    about="TRL preference, implicit prompt, standard: chosen and rejected as whole transcripts.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    trains="preference",
    columns={"chosen": Text("whole-chosen"), "rejected": Text("whole-rejected")},
    rules=not_empty("there is nothing to compare in an empty text", "whole-chosen", "whole-rejected"),
    loading=LOAD_DATASET,
)
