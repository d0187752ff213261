"""verl, reinforcement learning."""

from turnparse._declarations import ANSWER
from turnparse.targets import Constant, Content, Fields, Index, Messages, Rule, Target

TARGET = Target(
    name="verl-rl",
    about="verl RL: the turns before the answer as prompt, the answer as ground truth; for Parquet.",
    link="https://verl.readthedocs.io/en/latest/preparation/prepare_data.html",
    takes=("pair", "red-team", "transcript"),
    trains="prompts",
    columns={
        "data_source": Constant("hh-rlhf"),
        "prompt": Messages("prompt"),
        "ability": Constant("alignment"),
        "reward_model": Fields({"style": Constant("model"), "ground_truth": Content("completion")}),
        "extra_info": Fields({"split": Constant("train"), "index": Index()}),
    },
    rules=(
        Rule("prompt-ends-on-user", "the answer is generated after the prompt", "prompt", r"\w*[uU]"),
        Rule("completion-is-one-answer", "ground_truth is one text", "completion", ANSWER, schema=True),
    ),
    loading="python -m verl.trainer.main_ppo data.train_files={file} data.prompt_key=prompt",
)
