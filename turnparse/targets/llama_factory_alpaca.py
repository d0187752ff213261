"""LLaMA-Factory, preference data in the alpaca format."""

from turnparse._declarations import TO_USER, one_answer
from turnparse.targets import Constant, Content, Exchanges, Rule, SideFile, System, Target

TARGET = Target(
    name="llama-factory-alpaca",
    about="LLaMA-Factory alpaca, ranking: instruction, chosen and rejected as text, the exchanges before as history.",
    link="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md#preference-dataset",
    takes=("pair",),
    trains="preference",
    columns={
        "instruction": Content("shared"),
        "input": Constant(""),
        "chosen": Content("chosen"),
        "rejected": Content("rejected"),
        "system": System(),
        "history": Exchanges("shared"),
    },
    rules=(
        Rule(
            "prompt-alternates",
            "history is pairs of a question and its answer, before one question",
            "shared",
            TO_USER,
            schema=True,
        ),
        *one_answer("chosen and rejected are one answer each"),
    ),
    side_files=(
        SideFile(
            "dataset_info.json",
            """{
  "file_name": "{file}",
  "ranking": true,
  "columns": {
    "prompt": "instruction",
    "query": "input",
    "chosen": "chosen",
    "rejected": "rejected",
    "system": "system",
    "history": "history"
  }
}""",
        ),
    ),
    loading="llamafactory-cli train --stage dpo --dataset_dir . --dataset {stem} …",
)
