r"""Parse and normalize conversation transcripts: preference data to chat messages, every row accounted for.

>>> import turnparse
>>> pair = turnparse.parse_pair(
...     "\n\nHuman: Is a tomato a fruit?\n\nAssistant: Botanically, yes: a berry.",
...     "\n\nHuman: Is a tomato a fruit?\n\nAssistant: No.",
... )
>>> [turn.content for turn in pair.shared]
['Is a tomato a fruit?']
>>> pair.chosen[0].message()
{'role': 'assistant', 'content': 'Botanically, yes: a berry.'}
>>> pair.relation
'last-turn'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnparse._api import *  # noqa: F403  # all of it, and nothing else


def __getattr__(name: str) -> Any:
    """Load the public interface when something of it is first asked for.

    So the command, which cannot be loaded before this package, can be stopped in good order while all else is loaded.
    """
    if not name.startswith("_") or name in {"__all__", "__version__"}:
        api = import_module("turnparse._api")
        if name == "__all__" or name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *import_module("turnparse._api").__all__]
