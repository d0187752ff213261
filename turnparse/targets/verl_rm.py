"""verl, reward models."""

from turnparse._declarations import AFTER_THE_CUE, answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="verl-rm",
    about="verl reward model: prompt up to the assistant's marker, and the answers after it, as text; for Parquet.",
    link="https://verl.readthedocs.io/en/latest/preparation/prepare_data.html",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=answers_first(AFTER_THE_CUE),
    loading='RMDataset("{file}", tokenizer, prompt_key="prompt", chosen_key="chosen", rejected_key="rejected")',
)
