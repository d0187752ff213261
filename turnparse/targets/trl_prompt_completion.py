"""TRL, prompts and completions: what its SFTTrainer learns the completions of."""

from turnparse._declarations import COMPLETION_OF_TRL, LOAD_DATASET, PROMPT_OF_TRL_ALONE
from turnparse.targets import Messages, Target

TARGET = Target(
    name="trl-prompt-completion",
    about="TRL prompt-completion: prompt and completion as lists of messages; of a pair the side that --side names.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-completion",
    takes=("pair", "red-team", "transcript"),
    columns={"prompt": Messages("prompt"), "completion": Messages("completion")},
    rules=(PROMPT_OF_TRL_ALONE, COMPLETION_OF_TRL),
    loading=LOAD_DATASET,
)
