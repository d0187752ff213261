"""Axolotl, DPO in ChatML, as argilla data have it: one question a row."""

from turnparse._declarations import axolotl_dpo, single_turn
from turnparse.targets import Content, SideFile, System, Target

YAML = axolotl_dpo("chatml.default")

TARGET = Target(
    name="axolotl-chatml-argilla",
    about="Axolotl dpo, chatml.default: system, instruction, chosen_response and rejected_response as text; one question a row.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={
        "system": System(),
        "instruction": Content("shared"),
        "chosen_response": Content("chosen"),
        "rejected_response": Content("rejected"),
    },
    rules=single_turn("it writes one question and one answer"),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
