"""OpenAI fine-tuning, preference data; Azure, Together and Fireworks keep the format."""

from turnparse._declarations import no_empty, one_answer
from turnparse.targets import Fields, Messages, Rule, Target

TARGET = Target(
    name="openai-preference",
    about="OpenAI fine-tuning, preference: input as messages, one preferred and one non-preferred output.",
    link="https://developers.openai.com/api/docs/guides/direct-preference-optimization",
    takes=("pair",),
    columns={
        "input": Fields({"messages": Messages("shared")}),
        "preferred_output": Messages("chosen"),
        "non_preferred_output": Messages("rejected"),
    },
    rules=(
        *one_answer("outputs are one message of the assistant each", schema=False),
        *no_empty("messages without content are refused", "shared", "chosen", "rejected"),
        Rule("prompt-ends-on-user", "the outputs answer the last message of the input", "shared", r"\w*[uU]"),
    ),
    loading='client.files.create(file=open("{file}", "rb"), purpose="fine-tune")',
)
