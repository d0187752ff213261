"""verl, reward models."""

from turnparse._declarations import answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="verl-rm",
    about="verl reward model: prompt up to the assistant's marker, and the answers after it, as text; for Parquet.",
    link="https://verl.readthedocs.io/en/latest/preparation/prepare_data.html",
    takes=("pair",),
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=answers_first(
        "the prompt ends in the assistant's marker, so an answer of anybody else would be put in its mouth"
    ),
    loading="data.train_files={file}",
)
