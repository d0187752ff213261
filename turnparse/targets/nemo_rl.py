"""NeMo-RL, preference data."""

from turnparse._declarations import one_answer
from turnparse.targets import Constant, Fields, Items, Messages, Rule, Target

TARGET = Target(
    name="nemo-rl",
    about="NeMo-RL preference: context as messages, and two completions with their ranks.",
    link="https://docs.nvidia.com/nemo/rl/latest/guides/dpo.html",
    takes=("pair",),
    trains="preference",
    columns={
        "context": Messages("shared"),
        "completions": Items(
            (
                Fields({"rank": Constant(0), "completion": Messages("chosen")}),
                Fields({"rank": Constant(1), "completion": Messages("rejected")}),
            )
        ),
    },
    rules=(
        *one_answer("each completion is a single response: of more, only the last message is learnt", schema=False),
        Rule("prompt-ends-on-user", "the completions answer the last message of context", "shared", "[sS]?[uUaA]*[uU]"),
    ),
    loading="""data:
  train:
    data_path: {file}
  default:
    dataset_name: PreferenceDataset""",
)
