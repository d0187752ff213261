"""Axolotl, DPO through a chat template."""

from turnparse._declarations import TO_USER, no_empty, one_answer
from turnparse.targets import Message, Messages, Rule, SideFile, Target

YAML = """rl: dpo
datasets:
  - path: {file}
    ds_type: json
    split: train
    type: chat_template.default
"""

TARGET = Target(
    name="axolotl-chat-template",
    about="Axolotl dpo, chat_template.default: the prompt as messages, one message each as chosen and rejected.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    columns={"messages": Messages("shared"), "chosen": Message("chosen"), "rejected": Message("rejected")},
    rules=(
        *one_answer("chosen and rejected are one message each"),
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
