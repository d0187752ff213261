"""The parts of rows by columns: what each kind of judged rows says, as the cells of a target ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
import pyarrow as pa

from turnparse._cells import WHOLE, Part
from turnparse._columns import ROLES, SILENT, ColumnTurns, Finished, PairTurns
from turnparse._contents import TextColumn
from turnparse._message_columns import (
    FIRST_OF,
    MessageColumn,
    answers,
    first_messages,
    offsets_of,
    whole_messages,
    whole_rejected,
)
from turnparse._model import Pair
from turnparse._policies import Item
from turnparse._red_team import RedTeamAttempt
from turnparse._target import Side, part_of


class Parts(Protocol):
    """Rows, of which each part can be had as messages."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """The texts that the rows were read from, as they stand: both sides of pairs, or the one text of others."""
        ...

    def part(self, name: Part) -> MessageColumn:
        """Return the messages of a part of each row."""
        ...


def is_whole(part: Part) -> bool:
    """Tell whether a *part* of a pair is a side from its start."""
    return part in WHOLE


def whole_side(part: Part, side: Side) -> str:
    """Return the side of a pair that a whole *part* is."""
    return side if part == "conversation" else part.removeprefix("whole-")


@attrs.frozen
class RegularPairs:
    """The pairs of a batch that the columns reader read; only those of regular rows count.

    Attributes:
        pairs: the turns.
        side: the side that counts where only one does.
    """

    pairs: PairTurns
    side: Side
    _found: dict[str, MessageColumn] = attrs.field(factory=dict, eq=False, repr=False)

    def __len__(self) -> int:
        return len(self.pairs.turns.column)

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """Both sides of the pairs; each of length rows."""
        return self.pairs.turns.column, self.pairs.rejected

    def part(self, name: Part) -> MessageColumn:
        """Return the messages of a part of each pair."""
        if name not in self._found:
            self._found[name] = self._part(name)
        return self._found[name]

    def _part(self, name: Part) -> MessageColumn:
        if name in ("shared", "prompt"):
            return first_messages(self.pairs.turns)
        if not is_whole(name):
            wanted = self.side if name == "completion" else name
            contents = self.pairs.turns.answers if wanted == FIRST_OF else self.pairs.responses
            return answers(contents.array, saying=SILENT not in self.pairs.finished.counts)
        return (
            whole_messages(self.pairs.turns) if whole_side(name, self.side) == FIRST_OF else whole_rejected(self.pairs)
        )


@attrs.frozen
class RegularTexts:
    """The single texts of a batch that the columns reader read; only those of regular rows count.

    Attributes:
        turns: the turns.
        finished: which are regular.
    """

    turns: ColumnTurns
    finished: Finished

    def __len__(self) -> int:
        return len(self.turns.column)

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """The texts; length rows."""
        return (self.turns.column,)

    def part(self, name: Part) -> MessageColumn:
        """Return the messages of a part of each text; regular ones end with the assistant."""
        if name == "prompt":
            return first_messages(self.turns)
        if name == "completion":
            return answers(self.turns.answers.array, saying=SILENT not in self.finished.counts)
        return whole_messages(self.turns)


@attrs.frozen
class ReadRows:
    """Rows that were read one by one.

    Attributes:
        items: the rows, mended.
        side: the side of a pair that counts where only one does.
    """

    items: Sequence[Item]
    side: Side

    def __len__(self) -> int:
        return len(self.items)

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """The texts of the rows, which must be of one kind: both sides of pairs, or the one text of others."""
        sides = zip(*map(_texts_of, self.items), strict=True)
        return tuple(TextColumn.of(pa.array(texts, pa.large_string())) for texts in sides)

    def part(self, name: Part) -> MessageColumn:
        """Return the messages of a part of each row."""
        runs = [part_of(item, name, self.side) for item in self.items]
        turns = [turn for run in runs for turn in run]
        return MessageColumn(
            offsets_of(np.fromiter(map(len, runs), np.int64, len(runs))),
            np.array([ROLES.index(turn.role) for turn in turns], np.int8),
            pa.array([turn.text.strip() for turn in turns], pa.string()),
        )


def _texts_of(item: Item) -> tuple[str, ...]:
    if isinstance(item, Pair):
        return str(item.chosen_transcript), str(item.rejected_transcript)
    return (str(item.transcript if isinstance(item, RedTeamAttempt) else item),)
