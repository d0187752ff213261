"""Axolotl, DPO on whole conversations."""

from turnparse._declarations import AXOLOTL_DUMMY, axolotl_dpo, not_within, one_answer
from turnparse.targets import Messages, Rule, SideFile, Target

YAML = axolotl_dpo("chat_template.argilla_chat")

TARGET = Target(
    name="axolotl-argilla-chat",
    about="Axolotl dpo, chat_template.argilla_chat: chosen and rejected as whole conversations.",
    link="https://docs.axolotl.ai/docs/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={"chosen": Messages("whole-chosen"), "rejected": Messages("whole-rejected")},
    rules=(
        *one_answer("all messages but the last are read as the prompt, of the chosen side alone", schema=False),
        Rule("prompt-has-messages", "chat templates raise on a conversation without messages", "shared", r"\w+"),
        *not_within("the answer is looked for in the rendered text, and found before its place", AXOLOTL_DUMMY),
    ),
    side_files=(SideFile("{stem}.axolotl.yaml", YAML),),
    loading=YAML,
)
