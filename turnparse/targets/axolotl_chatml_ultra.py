"""Axolotl, DPO in ChatML, as UltraFeedback has it: one question a row."""

from turnparse._declarations import axolotl_dpo, single_turn
from turnparse.targets import Content, Messages, SideFile, System, Target

YAML = axolotl_dpo("chatml.ultra")

TARGET = Target(
    name="axolotl-chatml-ultra",
    about="Axolotl dpo, chatml.ultra: system and prompt as text, chosen and rejected as two messages each; one question a row.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={
        "system": System(),
        "prompt": Content("shared"),
        "chosen": Messages("whole-chosen", system="apart"),
        "rejected": Messages("whole-rejected", system="apart"),
    },
    rules=single_turn("it writes one question and one answer"),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
