"""torchtune, conversations."""

from turnparse._declarations import ending_on_assistant
from turnparse.targets import Messages, Target

TARGET = Target(
    name="torchtune-chat",
    about="torchtune chat, OpenAI style: one conversation a row as messages; of a pair the side that --side names.",
    link="https://docs.pytorch.org/torchtune/stable/basics/chat_datasets.html",
    takes=("pair", "red-team", "transcript"),
    columns={"messages": Messages("conversation")},
    rules=ending_on_assistant("torchtune.data.validate_messages raises", "conversation"),
    loading="""from torchtune.datasets import chat_dataset

dataset = chat_dataset(
    tokenizer, source="json", data_files="{file}", split="train", conversation_column="messages", conversation_style="openai"
)""",
)
