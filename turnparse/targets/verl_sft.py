"""verl, supervised fine-tuning."""

from turnparse.targets import Messages, Rule, Target

TARGET = Target(
    name="verl-sft",
    about="verl SFT, multi-turn: one conversation a row as messages; of a pair the side that --side names; for Parquet.",
    link="https://verl.readthedocs.io/en/latest/preparation/prepare_data.html",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"messages": Messages("conversation")},
    rules=(
        Rule(
            "conversation-has-an-answer", "only messages of the assistant are learnt", "conversation", r"[uUsS]*[aA]\w*"
        ),
    ),
    loading="torchrun -m verl.trainer.sft_trainer data.train_files={file} data.messages_key=messages",
)
