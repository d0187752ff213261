"""Axolotl, DPO through a chat template."""

from turnparse._declarations import AXOLOTL_DUMMY, axolotl_dpo, not_within, one_answer
from turnparse.targets import Message, Messages, Rule, SideFile, Target

YAML = axolotl_dpo("chat_template.default")

TARGET = Target(
    name="axolotl-chat-template",
    about="Axolotl dpo, chat_template.default: the prompt as messages, one message each as chosen and rejected.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={"messages": Messages("shared"), "chosen": Message("chosen"), "rejected": Message("rejected")},
    rules=(
        *one_answer("chosen and rejected are one message each"),
        Rule("prompt-has-messages", "chat templates raise on a conversation without messages", "shared", r"\w+"),
        *not_within("the answer is looked for in the rendered text, and found before its place", AXOLOTL_DUMMY),
    ),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
