"""NeMo-Aligner, reward models. Two records a pair."""

from turnparse.targets import Target, Text

TARGET = Target(
    name="nemo-aligner-rm",
    about="NeMo-Aligner reward model: transcripts as text, the chosen side and then the rejected one.",
    link="https://docs.nvidia.com/nemo-framework/user-guide/24.07/modelalignment/rlhf.html",
    takes=("pair",),
    trains="preference",
    columns={"text": Text("whole-chosen")},
    second={"text": Text("whole-rejected")},
    loading="""python examples/nlp/gpt/train_reward_model.py model.data.data_impl=jsonl \\
  "model.data.data_prefix={train: [{file}], validation: [...], test: [...]}"
""",
)
