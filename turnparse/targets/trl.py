"""TRL, preference data with an explicit prompt: what its DPO, ORPO and CPO trainers want."""

from turnparse._target import Rule, Target

TARGET = Target(
    name="trl",
    about="TRL preference, explicit prompt: prompt, chosen and rejected as lists of messages.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    columns={"prompt": "shared", "chosen": "chosen", "rejected": "rejected"},
    rules=(
        Rule(
            name="prompt-ends-on-user-or-assistant",
            part="shared",
            ends_with=("user", "assistant"),
            because="trl.apply_chat_template reads the role of the prompt's last message, and raises on any other",
        ),
    ),
)
