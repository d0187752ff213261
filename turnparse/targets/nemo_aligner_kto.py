"""NeMo-Aligner, KTO. Two records a pair."""

from turnparse._declarations import AFTER_THE_CUE, answers_first, no_empty
from turnparse.targets import Constant, Target, Text

TARGET = Target(
    name="nemo-aligner-kto",
    about="NeMo-Aligner KTO: prompt and response as text, and which of the two it is; two records a pair.",
    link="https://docs.nvidia.com/nemo-framework/user-guide/24.07/modelalignment/dpo.html",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Text("shared", cue="append"),
        "response": Text("chosen", cue="strip"),
        "preference": Constant("chosen"),
    },
    second={
        "prompt": Text("shared", cue="append"),
        "response": Text("rejected", cue="strip"),
        "preference": Constant("rejected"),
    },
    rules=(
        *answers_first(AFTER_THE_CUE),
        *no_empty("an empty response ends training on an assertion, or is learnt nothing from", "chosen", "rejected"),
    ),
    loading="""python examples/nlp/gpt/train_gpt_kto.py model.data.data_impl=jsonl \\
  "model.data.data_prefix={train: [{file}], validation: [...], test: [...]}"
""",
)
