"""LLaMA-Factory, preference data in the ShareGPT format."""

from turnparse._declarations import TO_USER, one_answer
from turnparse.targets import SHAREGPT, Message, Messages, Rule, SideFile, System, Target

TARGET = Target(
    name="llama-factory-sharegpt",
    about="LLaMA-Factory sharegpt, ranking: the prompt as conversations, one message each as chosen and rejected.",
    link="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md#preference-dataset-1",
    takes=("pair",),
    trains="preference",
    columns={
        "conversations": Messages("shared", SHAREGPT, system="apart"),
        "chosen": Message("chosen", SHAREGPT),
        "rejected": Message("rejected", SHAREGPT),
        "system": System(),
    },
    rules=(
        Rule(
            "prompt-alternates",
            "its converter demands human and gpt by turns and an odd number of messages, or leaves the row out",
            "shared",
            TO_USER,
        ),
        *one_answer("chosen and rejected are one message each, of gpt"),
    ),
    side_files=(
        SideFile(
            "dataset_info.json",
            """{
  "file_name": "{file}",
  "formatting": "sharegpt",
  "ranking": true,
  "columns": {
    "messages": "conversations",
    "chosen": "chosen",
    "rejected": "rejected",
    "system": "system"
  }
}""",
        ),
    ),
    loading="llamafactory-cli train --stage dpo --dataset_dir . --dataset {stem} …",
)
