"""NeMo-RL, preference data."""

from turnparse.targets import Constant, Fields, Items, Messages, Target

TARGET = Target(
    name="nemo-rl",
    about="NeMo-RL preference: context as messages, and two completions with their ranks.",
    link="https://docs.nvidia.com/nemo/rl/latest/guides/dpo.html",
    takes=("pair",),
    columns={
        "context": Messages("shared"),
        "completions": Items(
            (
                Fields({"rank": Constant(0), "completion": Messages("chosen")}),
                Fields({"rank": Constant(1), "completion": Messages("rejected")}),
            )
        ),
    },
    loading="""data:
  train:
    dataset_name: PreferenceDataset
    data_path: {file}""",
)
