"""open-instruct, preference data."""

from turnparse._declarations import not_empty, one_answer
from turnparse.targets import Messages, Target

TARGET = Target(
    name="open-instruct",
    about="open-instruct preference: chosen and rejected as whole conversations that differ in the last message.",
    link="https://github.com/allenai/open-instruct/blob/main/open_instruct/dataset_transformation.py",
    takes=("pair",),
    trains="preference",
    columns={"chosen": Messages("whole-chosen"), "rejected": Messages("whole-rejected")},
    rules=(
        *not_empty("there is nothing before the answer", "shared"),
        *one_answer(
            "only the last message is different: the others are read as the prompt, of the chosen side alone",
            schema=False,
        ),
    ),
    loading="--mixer_list {file} 1.0",
)
