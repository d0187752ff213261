"""distilabel and argilla, preference data."""

from turnparse._declarations import LOAD_DATASET, ending_on_assistant
from turnparse.targets import Constant, Content, Messages, Rule, Sha256, Target

TARGET = Target(
    name="distilabel",
    about="distilabel: the first question as prompt with its digest, both conversations, ratings of 1 and 0, no models.",
    link="https://distilabel.argilla.io/latest/components-gallery/steps/formattextgenerationdpo/",
    takes=("pair",),
    trains="preference",
    columns={
        "prompt": Content("shared", at="first"),
        "prompt_id": Sha256(Content("shared", at="first")),
        "chosen": Messages("whole-chosen"),
        "chosen_model": Constant(None),
        "chosen_rating": Constant(1.0),
        "rejected": Messages("whole-rejected"),
        "rejected_model": Constant(None),
        "rejected_rating": Constant(0.0),
    },
    rules=(
        Rule("begins-with-user", "prompt is the first question", "shared", r"[sS]?[uU]\w*", schema=True),
        *ending_on_assistant("ratings are of what the assistant says last", "whole-chosen", "whole-rejected"),
    ),
    loading=LOAD_DATASET,
)
