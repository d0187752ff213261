"""verl, supervised fine-tuning."""

from turnparse.targets import Messages, Target

TARGET = Target(
    name="verl-sft",
    about="verl SFT, multi-turn: one conversation a row as messages; of a pair the side that --side names; for Parquet.",
    link="https://verl.readthedocs.io/en/latest/preparation/prepare_data.html",
    takes=("pair", "red-team", "transcript"),
    columns={"messages": Messages("conversation")},
    loading="data.train_files={file} data.messages_key=messages",
)
