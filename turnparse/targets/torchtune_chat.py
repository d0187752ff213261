"""torchtune, conversations."""

from turnparse._declarations import ALTERNATING
from turnparse.targets import Messages, Rule, Target

TARGET = Target(
    name="torchtune-chat",
    about="torchtune chat, OpenAI style: one conversation a row as messages; of a pair the side that --side names.",
    link="https://docs.pytorch.org/torchtune/stable/basics/chat_datasets.html",
    takes=("pair", "red-team", "transcript"),
    trains="supervised",
    columns={"messages": Messages("conversation")},
    rules=(
        Rule(
            "conversation-alternates",
            "torchtune.data.validate_messages raises, and ends the run",
            "conversation",
            rf"(?=\w\w){ALTERNATING}",
        ),
    ),
    loading="""from torchtune.datasets import chat_dataset

dataset = chat_dataset(
    tokenizer, source="json", data_files="{file}", split="train", conversation_column="messages", conversation_style="openai"
)""",
)
