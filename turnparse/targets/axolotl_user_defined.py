"""Axolotl, DPO with a format that the configuration spells out: one question a row."""

from turnparse._declarations import single_turn
from turnparse.targets import Content, SideFile, System, Target

YAML = """rl: dpo
datasets:
  - path: {file}
    ds_type: json
    split: train
    type:
      field_system: system
      field_prompt: prompt
      field_chosen: chosen
      field_rejected: rejected
      prompt_format: "{prompt}"
      chosen_format: "{chosen}"
      rejected_format: "{rejected}"
"""

TARGET = Target(
    name="axolotl-user-defined",
    about="Axolotl dpo, user_defined.default: system, prompt, chosen and rejected as text; one question a row.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    columns={
        "system": System(),
        "prompt": Content("shared"),
        "chosen": Content("chosen"),
        "rejected": Content("rejected"),
    },
    rules=single_turn("it writes one question and one answer"),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
