"""One module a target: its `TARGET` is all there is to it. A new target is a new file here, and nothing else.

The words that targets are declared in are here too, for those of other distributions, which register theirs under the
entry points ``turnparse.targets``:

>>> from turnparse.targets import Messages, Target
>>> target = Target(
...     name="mine",
...     about="The preferred side, as messages.",
...     link="https://example.org/format",
...     takes=("pair",),
...     columns={"dialogue": Messages("whole-chosen")},
... )
>>> [*target.columns]
['dialogue']
"""

from turnparse._cells import (
    CHAT,
    SHAREGPT,
    Constant,
    Content,
    Exchanges,
    Fields,
    Items,
    Keys,
    LossMark,
    Message,
    Messages,
    Sha256,
    System,
    Text,
)
from turnparse._target import Rule, SideFile, Target

__all__ = [
    "CHAT",
    "SHAREGPT",
    "Constant",
    "Content",
    "Exchanges",
    "Fields",
    "Items",
    "Keys",
    "LossMark",
    "Message",
    "Messages",
    "Rule",
    "Sha256",
    "SideFile",
    "System",
    "Target",
    "Text",
]
