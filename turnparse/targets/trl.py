"""TRL, preference data with an explicit prompt: what its DPO, ORPO and CPO trainers want."""

from turnparse._declarations import LOAD_DATASET, not_empty, prompt_of_trl
from turnparse.targets import Messages, Target

TARGET = Target(
    name="trl",
    about="TRL preference, explicit prompt: prompt, chosen and rejected as lists of messages.",
    link="https://huggingface.co/docs/trl/dataset_formats#preference",
    takes=("pair",),
    trains="preference",
    columns={"prompt": Messages("shared"), "chosen": Messages("chosen"), "rejected": Messages("rejected")},
    rules=(
        prompt_of_trl("shared"),
        *not_empty("a side without messages is just the prompt, and nothing warns", "chosen", "rejected"),
    ),
    loading=LOAD_DATASET,
)
