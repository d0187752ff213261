"""Axolotl, reward models: one question a row."""

from turnparse._declarations import one_answer
from turnparse.targets import Content, Rule, SideFile, System, Target

YAML = """reward_model: true
chat_template: tokenizer_default
datasets:
  - path: {file}
    ds_type: {format}
    split: train
    type: bradley_terry.chat_template
    drop_system_message: true
"""

TARGET = Target(
    name="axolotl-bradley-terry",
    about="Axolotl reward model, bradley_terry.chat_template: system, input, chosen and rejected as text; one question a row.",
    link="https://docs.axolotl.ai/docs/reward_modelling.html",
    takes=("pair",),
    trains="preference",
    columns={
        "system": System(),
        "input": Content("shared"),
        "chosen": Content("chosen"),
        "rejected": Content("rejected"),
    },
    rules=(
        Rule(
            "prompt-is-one-question",
            "it writes one question and one answer, and its option drops system messages: without it, each row would get one that is empty",
            "shared",
            "[uU]",
            schema=True,
        ),
        *one_answer("it writes one question and one answer"),
    ),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
