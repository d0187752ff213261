"""Anthropic Messages: what a call of the API takes."""

from turnparse._declarations import no_empty
from turnparse.targets import Messages, Rule, System, Target

TARGET = Target(
    name="anthropic",
    about="Anthropic Messages: system as text, one conversation a row as messages; of a pair the side that --side names.",
    link="https://docs.anthropic.com/en/api/messages",
    takes=("pair", "red-team", "transcript"),
    trains="",
    columns={
        "system": System("conversation", absent=None, optional=True),
        "messages": Messages("conversation", system="apart"),
    },
    rules=(
        Rule("begins-with-user", "the first message must be the user's", "conversation", r"[sS]?[uU]\w*"),
        *no_empty("text content must not be empty", "conversation"),
    ),
    loading="client.messages.create(model=…, max_tokens=…, **record)",
)
