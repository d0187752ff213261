"""OpenRLHF, prompts for PPO and the like."""

from turnparse.targets import Messages, Rule, Target

TARGET = Target(
    name="openrlhf-prompts",
    about="OpenRLHF prompts: the turns before the answer, as messages.",
    link="https://github.com/OpenRLHF/OpenRLHF",
    takes=("pair", "red-team", "transcript"),
    trains="prompts",
    columns={"input": Messages("prompt")},
    rules=(Rule("prompt-ends-on-user", "the answer is generated after the prompt", "prompt", r"\w*[uU]"),),
    loading="python -m openrlhf.cli.train_ppo_ray --data.prompt_dataset {file} --data.input_key input --data.apply_chat_template",
)
