"""OpenAI fine-tuning, conversations; Azure, Together and Fireworks keep the format."""

from turnparse._declarations import no_empty, taking_turns
from turnparse.targets import Keys, LossMark, Messages, Target

OPENAI = Keys(loss=LossMark("weight", learnt=1, masked=0, only=("assistant",)))

TARGET = Target(
    name="openai",
    about="OpenAI fine-tuning, chat: one conversation a row as messages; of a pair the side that --side names.",
    link="https://developers.openai.com/api/docs/guides/supervised-fine-tuning",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"messages": Messages("conversation", OPENAI)},
    rules=(
        *taking_turns(
            "Together and others ask for user and assistant by turns, to the assistant, or refuse the file",
            "conversation",
        ),
        *no_empty("messages without content are refused", "conversation"),
    ),
    loading='client.files.create(file=open("{file}", "rb"), purpose="fine-tune")',
)
