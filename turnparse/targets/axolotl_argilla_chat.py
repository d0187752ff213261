"""Axolotl, DPO on whole conversations."""

from turnparse._declarations import TO_USER, no_empty, one_answer
from turnparse.targets import Messages, Rule, SideFile, Target

YAML = """rl: dpo
datasets:
  - path: {file}
    ds_type: json
    split: train
    type: chat_template.argilla_chat
"""

TARGET = Target(
    name="axolotl-argilla-chat",
    about="Axolotl dpo, chat_template.argilla_chat: chosen and rejected as whole conversations.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    columns={"chosen": Messages("whole-chosen"), "rejected": Messages("whole-rejected")},
    rules=(
        *one_answer("all messages but the last are read as the prompt, of the chosen side alone", schema=False),
        *no_empty(
            "an empty answer is not found in the rendered text, and becomes [[dummy_message]]", "chosen", "rejected"
        ),
        Rule(
            "prompt-alternates",
            "chat templates such as gemma's and mistral's raise where roles do not alternate",
            "shared",
            TO_USER,
        ),
    ),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
