"""ShareGPT, as FastChat and many others read it."""

from turnparse._declarations import no_empty
from turnparse.targets import SHAREGPT, Index, Messages, Rule, System, Target

TARGET = Target(
    name="sharegpt",
    about="ShareGPT: one conversation a row, with its number as id; of a pair the side that --side names.",
    link="https://github.com/lm-sys/FastChat/blob/main/data/dummy_conversation.json",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={
        "id": Index(text=True),
        "system": System("conversation", absent=None, optional=True),
        "conversations": Messages("conversation", SHAREGPT, system="apart"),
    },
    rules=(
        Rule(
            "conversation-alternates",
            "FastChat's cleaning drops the record, or cuts its last turn; a system message of one record alone stays for the next ones",
            "conversation",
            "([uU][aA])+",
            alike="([uU][aA])+",
        ),
        *no_empty("the closing token of an empty turn is not found, and the text is misread", "conversation"),
    ),
    loading="python -m fastchat.train.train --data_path {file} …",
)
