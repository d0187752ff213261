"""OpenRLHF, reward models and DPO."""

from turnparse.targets import Messages, Target

TARGET = Target(
    name="openrlhf-reward",
    about="OpenRLHF reward and DPO: prompt, chosen and rejected as lists of messages.",
    link="https://github.com/OpenRLHF/OpenRLHF",
    takes=("pair",),
    columns={"prompt": Messages("shared"), "chosen": Messages("chosen"), "rejected": Messages("rejected")},
    loading="--data.dataset {file} --data.prompt_key prompt --data.apply_chat_template",
)
