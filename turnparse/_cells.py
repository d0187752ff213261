"""What a column of a target may hold: the vocabulary that targets are declared in. Data alone; no Arrow, no files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from turnparse._markers import MarkerTable, Role

Part = Literal["shared", "chosen", "rejected", "whole-chosen", "whole-rejected", "conversation", "prompt", "completion"]
"""Turns of a row.

``shared``, ``chosen`` and ``rejected`` are a pair's fields, the ``whole-`` ones each side from its start.
``conversation`` is all turns of a transcript, or of that side of a pair which the run names; ``completion`` is its end:
of a pair the tail of that side, of a transcript its last turn if that is an assistant's. ``prompt`` is what comes
before it.
"""

TAILS: Final = ("chosen", "rejected", "completion")
"""Parts that do not begin a conversation: a system prompt comes before what comes before them."""

WHOLE: Final = ("whole-chosen", "whole-rejected", "conversation")
"""Parts that are all of a conversation."""

Loss = Literal["last-turn", "assistant-turns"]
"""Of which messages a trainer is to learn: the last one, or all of the assistant."""

SEPARATOR: Final = "\n\n"
"""What stands between a system prompt that a run adds and a row's own: a paragraph break, as inside any turn."""

LOSSES: Final = ("last-turn", "assistant-turns")


@attrs.frozen
class LossMark:
    """The key of a message that says whether a trainer learns from it. It is written where a run asks for it.

    Attributes:
        key: the key.
        learnt: its value where the trainer is to learn.
        masked: its value elsewhere.
        only: the roles whose messages may have the key.
    """

    key: str
    learnt: bool | int
    masked: bool | int
    only: tuple[Role, ...] = ("user", "assistant", "system")


@attrs.frozen
class Keys:
    """How a consumer spells a message.

    Attributes:
        role: the key of the role.
        content: the key of the content.
        names: {role: its name there}; a role that is missing has its own name.
        loss: the key that says whether a trainer learns from a message, if there is one.
    """

    role: str = "role"
    content: str = "content"
    names: Mapping[Role, str] = attrs.field(factory=dict)
    loss: LossMark | None = None


CHAT: Final = Keys()
"""Messages as chat templates have them."""

SHAREGPT: Final = Keys("from", "value", {"user": "human", "assistant": "gpt"})
"""Messages as ShareGPT has them."""


@attrs.frozen
class Messages:
    """A list of messages.

    Attributes:
        part: the turns.
        keys: how each is spelt.
        system: whether a leading system message is the first of them (``"first"``), or stands elsewhere (``"apart"``).
    """

    part: Part
    keys: Keys = CHAT
    system: Literal["first", "apart"] = "first"


@attrs.frozen
class Message:
    """One message, as an object: the last of a part, which must have one.

    Attributes:
        part: the turns.
        keys: how it is spelt.
    """

    part: Part
    keys: Keys = CHAT


@attrs.frozen
class Content:
    """What one turn says, as text.

    Attributes:
        part: the turns, without a leading system message; there must be one.
        at: which of them.
    """

    part: Part
    at: Literal["first", "last"] = "last"


@attrs.frozen
class Text:
    """Turns as text, as `turnparse.render` writes them in the run's dialect.

    Attributes:
        part: the turns.
        cue: ``"append"`` ends the text in the assistant's marker, up to its colon, for the answer to follow; ``"strip"`` leaves
            it out at the beginning, where the part must begin with the assistant, so that the two together are a transcript.
    """

    part: Part
    cue: Literal["append", "strip"] | None = None


@attrs.frozen
class System:
    """The leading system message, as text.

    Attributes:
        part: the turns that it leads.
        absent: what stands there if there is none.
        optional: whether JSON has no such key where it would be null. It must not be the last of its object.
    """

    part: Part = "shared"
    absent: str | None = ""
    optional: bool = False


@attrs.frozen
class Exchanges:
    """Pairs of a question and its answer, ``[["q1", "a1"], ["q2", "a2"]]``: a part without its last turn.

    Attributes:
        part: the turns, without a leading system message; they must alternate, from a user's turn to a user's turn.
    """

    part: Part


@attrs.frozen
class Constant:
    """The same value in every row.

    Attributes:
        value: a boolean, a number, a text, or None.
        nullable: what a column has of which all values are None.
    """

    value: bool | float | str | None
    nullable: Literal["text", "number"] = "text"


@attrs.frozen
class Index:
    """The number of the row in its source, from 0: of JSON its line, of a table its row."""


@attrs.frozen
class Fields:
    """An object.

    Attributes:
        cells: {key: what it holds}; at least one.
    """

    cells: Mapping[str, Cell]


@attrs.frozen
class Items:
    """A list of so many things, all of one type.

    Attributes:
        cells: what each of them is; at least one.
    """

    cells: tuple[Cell, ...]


@attrs.frozen
class Sha256:
    """The SHA-256 digest of a text, as hexadecimal digits. It is worked out row by row.

    Attributes:
        cell: the text.
    """

    cell: Content | Text


Cell = Messages | Message | Content | Text | System | Exchanges | Constant | Index | Fields | Items | Sha256
"""What a column holds."""


NO_PART: Final = (Constant, Index, Fields, Items, Sha256)
"""What holds no part of a row of its own."""


def leaves(cell: Cell) -> list[Cell]:
    """Return what *cell* is made of: itself, or the things within it, in order."""
    match cell:
        case Fields():
            return [leaf for inner in cell.cells.values() for leaf in leaves(inner)]
        case Items():
            return [leaf for inner in cell.cells for leaf in leaves(inner)]
        case Sha256():
            return [cell.cell]
        case _:
            return [cell]


def loss_mark(cell: Cell) -> LossMark | None:
    """Return the loss mark of the messages in *cell*, if they have one."""
    marks = [leaf.keys.loss for leaf in leaves(cell) if isinstance(leaf, (Messages, Message))]
    return next((mark for mark in marks if mark is not None), None)


@attrs.frozen
class Writing:
    """What a run says of how cells are made.

    Attributes:
        table: the markers of its dialect.
        system: a system prompt to add; None for none.
        loss: from which messages a trainer is to learn; None to leave that out.
        numbers: the numbers of the rows in their source, int64, length rows; None where no cell asks for them.
    """

    table: MarkerTable
    system: str | None = None
    loss: Loss | None = None
    numbers: Any = None


def led(prompt: str, own: str) -> str:
    """Return a system prompt that a run adds before a row's *own*."""
    return f"{prompt}{SEPARATOR}{own}"
