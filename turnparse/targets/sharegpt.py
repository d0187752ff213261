"""ShareGPT, as FastChat and many others read it."""

from turnparse.targets import SHAREGPT, Messages, Sha256, Target, Text

TARGET = Target(
    name="sharegpt",
    about="ShareGPT: one conversation a row, with a digest of its text as id; of a pair the side that --side names.",
    link="https://github.com/lm-sys/FastChat/blob/main/data/dummy_conversation.json",
    takes=("pair", "red-team", "transcript"),
    columns={"id": Sha256(Text("conversation")), "conversations": Messages("conversation", SHAREGPT)},
    loading="python -m fastchat.train.train --data_path {file} …",
)
