"""OpenRLHF, reward models and DPO."""

from turnparse._declarations import answers_first
from turnparse.targets import Messages, Rule, Target

TARGET = Target(
    name="openrlhf-reward",
    about="OpenRLHF reward and DPO: prompt, chosen and rejected as lists of messages.",
    link="https://github.com/OpenRLHF/OpenRLHF",
    takes=("pair",),
    trains="preference",
    columns={"prompt": Messages("shared"), "chosen": Messages("chosen"), "rejected": Messages("rejected")},
    rules=(
        Rule(
            "prompt-has-messages",
            "apply_chat_template raises on an empty conversation, and the load stops",
            "shared",
            r"\w+",
        ),
        *answers_first(
            "the answer is cut out of the rendered text after an assistant's header: others lose their beginning",
            schema=False,
        ),
    ),
    loading="""python -m openrlhf.cli.train_rm --data.dataset {file} --data.apply_chat_template \\
  --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected""",
)
