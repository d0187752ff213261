"""OpenRLHF, supervised fine-tuning."""

from turnparse.targets import Messages, Target

TARGET = Target(
    name="openrlhf-sft",
    about="OpenRLHF SFT: input and output as lists of messages; of a pair the side that --side names.",
    link="https://github.com/OpenRLHF/OpenRLHF",
    takes=("pair", "red-team", "transcript"),
    columns={"input": Messages("prompt"), "output": Messages("completion")},
    loading="--data.dataset {file} --data.input_key input --data.output_key output --data.apply_chat_template",
)
