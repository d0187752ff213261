"""NeMo-Aligner, DPO."""

from turnparse._declarations import answers_first
from turnparse.targets import Target, Text

TARGET = Target(
    name="nemo-aligner",
    about="NeMo-Aligner DPO: prompt up to the assistant's marker, and both responses after it, as text.",
    link="https://docs.nvidia.com/nemo-framework/user-guide/24.07/modelalignment/dpo.html",
    takes=("pair",),
    columns={
        "prompt": Text("shared", cue="append"),
        "chosen_response": Text("chosen", cue="strip"),
        "rejected_response": Text("rejected", cue="strip"),
    },
    rules=answers_first(
        "the prompt ends in the assistant's marker, so an answer of anybody else would be put in its mouth"
    ),
    loading="model.data.data_prefix.train={file}",
)
