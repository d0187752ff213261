"""Axolotl, reward models: one question a row."""

from turnparse._declarations import single_turn
from turnparse.targets import Content, SideFile, System, Target

YAML = """reward_model: true
chat_template: tokenizer_default
datasets:
  - path: {file}
    ds_type: json
    split: train
    type: bradley_terry.chat_template
"""

TARGET = Target(
    name="axolotl-bradley-terry",
    about="Axolotl reward model, bradley_terry.chat_template: system, input, chosen and rejected as text; one question a row.",
    link="https://docs.axolotl.ai/docs/reward_modelling.html",
    takes=("pair",),
    columns={
        "system": System(),
        "input": Content("shared"),
        "chosen": Content("chosen"),
        "rejected": Content("rejected"),
    },
    rules=single_turn("it writes one question and one answer"),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
