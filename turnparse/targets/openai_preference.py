"""OpenAI fine-tuning, preference data; Azure, Together and Fireworks keep the format."""

from turnparse._declarations import TO_USER, no_empty, one_answer
from turnparse.targets import Fields, Messages, Rule, Target

TARGET = Target(
    name="openai-preference",
    about="OpenAI fine-tuning, preference: input as messages, one preferred and one non-preferred output.",
    link="https://developers.openai.com/api/docs/guides/direct-preference-optimization",
    takes=("pair",),
    trains="preference",
    columns={
        "input": Fields({"messages": Messages("shared")}),
        "preferred_output": Messages("chosen"),
        "non_preferred_output": Messages("rejected"),
    },
    rules=(
        *one_answer("outputs are one message of the assistant each", schema=False),
        *no_empty("messages without content are refused", "shared", "chosen", "rejected"),
        Rule(
            "prompt-alternates",
            "Together and others ask for turns, to one of the user, which the outputs answer",
            "shared",
            TO_USER,
        ),
    ),
    loading='client.files.create(file=open("{file}", "rb"), purpose="fine-tune")',
)
