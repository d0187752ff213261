"""LLaMA-Factory, unpaired preference data. Two records a pair."""

from turnparse._declarations import taking_turns
from turnparse.targets import SHAREGPT, Constant, Messages, Rule, SideFile, System, Target

TARGET = Target(
    name="llama-factory-kto",
    about="LLaMA-Factory sharegpt, KTO: whole conversations with kto_tag; two records a pair.",
    link="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md#kto-dataset",
    takes=("pair",),
    trains="preference",
    columns={
        "conversations": Messages("whole-chosen", SHAREGPT, system="apart"),
        "kto_tag": Constant(value=True),
        "system": System("whole-chosen"),
    },
    second={
        "conversations": Messages("whole-rejected", SHAREGPT, system="apart"),
        "kto_tag": Constant(value=False),
        "system": System("whole-rejected"),
    },
    rules=(
        Rule(
            "chosen-answer-is-not-empty",
            "a good answer that is empty is taken for a bad one",
            "chosen",
            r"\w*[sua]",
        ),
        *taking_turns(
            "its converter demands human and gpt by turns, to gpt, or leaves the row out",
            "whole-chosen",
            "whole-rejected",
        ),
    ),
    side_files=(
        SideFile(
            "dataset_info.json",
            """{
  "file_name": "{file}",
  "formatting": "sharegpt",
  "columns": {
    "messages": "conversations",
    "kto_tag": "kto_tag",
    "system": "system"
  }
}""",
        ),
    ),
    loading="llamafactory-cli train --stage kto --dataset_dir . --dataset {stem} …",
)
