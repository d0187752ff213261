"""Axolotl, DPO with a format that the configuration spells out: text."""

from turnparse._declarations import no_empty, one_answer
from turnparse.targets import SideFile, Target, Text

YAML = """rl: dpo
datasets:
  - path: {file}
    split: train
    type:
      field_prompt: prompt
      field_chosen: chosen
      field_rejected: rejected
      prompt_format: "{prompt}"
      chosen_format: "{chosen}"
      rejected_format: "{rejected}"
"""

TARGET = Target(
    name="axolotl-user-defined",
    about="Axolotl dpo, user_defined.default: prompt up to the assistant's marker, and both answers after it, as text.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen": Text("chosen", cue="strip"),
        "rejected": Text("rejected", cue="strip"),
    },
    rules=(
        *one_answer("the prompt ends in the assistant's marker, and one answer of the assistant follows"),
        *no_empty("an empty text raises, and ends the run", "chosen", "rejected"),
    ),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
