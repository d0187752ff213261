"""TRL, language modelling on plain text: transcripts as they are, but for white space."""

from turnparse._declarations import LOAD_DATASET
from turnparse.targets import Target, Text

TARGET = Target(
    name="trl-text",
    about="TRL language modelling, standard: one transcript a row as text; of a pair the side that --side names.",
    link="https://huggingface.co/docs/trl/dataset_formats#language-modeling",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"text": Text("conversation")},
    loading=LOAD_DATASET,
)
