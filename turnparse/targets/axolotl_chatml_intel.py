"""Axolotl, DPO in ChatML, as intel data have it: one question a row."""

from turnparse._declarations import axolotl_dpo, single_turn
from turnparse.targets import Content, SideFile, System, Target

YAML = axolotl_dpo("chatml.intel")

TARGET = Target(
    name="axolotl-chatml-intel",
    about="Axolotl dpo, chatml.intel: system, question, chosen and rejected as text; one question a row.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={
        "system": System(),
        "question": Content("shared"),
        "chosen": Content("chosen"),
        "rejected": Content("rejected"),
    },
    rules=single_turn("it writes one question and one answer"),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
