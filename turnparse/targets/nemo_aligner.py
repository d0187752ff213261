"""NeMo-Aligner, DPO."""

from turnparse._declarations import AFTER_THE_CUE, answers_first, no_empty
from turnparse.targets import Target, Text

TARGET = Target(
    name="nemo-aligner",
    about="NeMo-Aligner DPO: prompt up to the assistant's marker, and both responses after it, as text.",
    link="https://docs.nvidia.com/nemo-framework/user-guide/24.07/modelalignment/dpo.html",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen_response": Text("chosen", cue="strip"),
        "rejected_response": Text("rejected", cue="strip"),
    },
    rules=(
        *answers_first(AFTER_THE_CUE),
        *no_empty("an empty response ends training on an assertion, or is learnt nothing from", "chosen", "rejected"),
    ),
    loading="""python examples/nlp/gpt/train_gpt_dpo.py model.data.data_impl=jsonl \\
  "model.data.data_prefix={train: [{file}], validation: [...], test: [...]}"
""",
)
