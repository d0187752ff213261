"""TRL, prompts and completions: what its SFTTrainer learns the completions of."""

from turnparse._declarations import COMPLETION_OF_TRL, LOAD_DATASET, prompt_of_trl
from turnparse.targets import Messages, Target

TARGET = Target(
    name="trl-prompt-completion",
    about="TRL prompt-completion: prompt and completion as lists of messages; of a pair the side that --side names.",
    link="https://huggingface.co/docs/trl/dataset_formats#prompt-completion",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"prompt": Messages("prompt"), "completion": Messages("completion")},
    rules=(prompt_of_trl("prompt"), COMPLETION_OF_TRL),
    loading=LOAD_DATASET,
)
