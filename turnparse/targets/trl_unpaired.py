"""TRL, unpaired preference data: what its KTOTrainer wants. Two records a pair."""

from turnparse._declarations import LOAD_DATASET, not_empty, prompt_of_trl
from turnparse.targets import Constant, Messages, Target

TARGET = Target(
    name="trl-unpaired",
    about="TRL unpaired preference: prompt and completion as messages, and a label; two records a pair.",
    link="https://huggingface.co/docs/trl/dataset_formats#unpaired-preference",
    takes=("pair",),
    trains="preference",
    columns={"prompt": Messages("shared"), "completion": Messages("chosen"), "label": Constant(value=True)},
    second={"prompt": Messages("shared"), "completion": Messages("rejected"), "label": Constant(value=False)},
    rules=(
        prompt_of_trl("shared"),
        *not_empty("a side without messages is just the prompt, and nothing warns", "chosen", "rejected"),
    ),
    loading=LOAD_DATASET,
)
