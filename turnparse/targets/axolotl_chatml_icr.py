"""Axolotl, DPO in ChatML, as icr data have it: one question a row."""

from turnparse._declarations import single_turn
from turnparse.targets import Content, SideFile, System, Target

YAML = """rl: dpo
datasets:
  - path: {file}
    ds_type: {format}
    split: train
    type: chatml.icr
"""

TARGET = Target(
    name="axolotl-chatml-icr",
    about="Axolotl dpo, chatml.icr: system, input, chosen and rejected as text; one question a row.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
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
