"""OpenRLHF, supervised fine-tuning."""

from turnparse.targets import Messages, Rule, Target

TARGET = Target(
    name="openrlhf-sft",
    about="OpenRLHF SFT: one conversation a row as input; of a pair the side that --side names.",
    link="https://github.com/OpenRLHF/OpenRLHF",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"input": Messages("conversation")},
    rules=(
        Rule(
            "conversation-is-answered",
            "the last message is learnt, after those before it: others are cut at the wrong place, or raise",
            "conversation",
            r"[sSuU]\w*[aA]",
        ),
    ),
    loading="python -m openrlhf.cli.train_sft --data.dataset {file} --data.input_key input --data.apply_chat_template",
)
