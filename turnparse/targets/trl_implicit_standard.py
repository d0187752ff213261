"""TRL, preference data as text, with an implicit prompt."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-implicit-standard",
    about="TRL preference, implicit prompt, standard: chosen and rejected as whole transcripts.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    columns={"chosen": Text("whole-chosen"), "rejected": Text("whole-rejected")},
    loading=LOAD_DATASET,
)
