"""The data classes: a turn, a transcript, a pair, and the pair as a tree. They know no grammar, Arrow or file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal, TypedDict

import attrs

from turnparse import _diagnose
from turnparse._diagnose import Diagnostic, Finding, Side
from turnparse._markers import PREAMBLE, Mark, MarkerTable, Role

Diagnostics = Literal["structural", "all"]
Relation = Literal["empty", "identical", "extends", "last-turn", "uneven", "earlier"]


NO_CODES: Final[frozenset[str]] = frozenset()


class Message(TypedDict):
    """A chat message, as trainers read it: ``{"role": ..., "content": ...}``."""

    role: Role
    content: str


@attrs.define
class _Draft:
    """The fields of a turn, before it is frozen; see `make_turn`."""

    # Three fields, the rest derived: a pair is some six turns, and to make them is half of its cost.
    mark: Mark
    text: str
    start: int


@attrs.frozen
class Turn(_Draft):
    """A marker and the text up to the next one; ``str(turn)`` is both, as they stand in the transcript.

    Attributes:
        mark: the marker, and the speaker and role that it stands for.
        text: all that follows the marker, exactly.
        start: where the turn begins in its transcript, in characters, marker included.
    """

    @property
    def role(self) -> Role:
        """``"user"``, ``"assistant"`` or ``"system"``."""
        return self.mark.role

    @property
    def speaker(self) -> str | None:
        """The label, such as ``"Human"``; None for a preamble seen as a turn."""
        return self.mark.speaker

    @property
    def marker(self) -> str:
        """The marker, with its paragraph break and colon; empty for a preamble."""
        return self.mark.literal

    @property
    def content(self) -> str:
        """The text without surrounding white space: exactly ``text.strip()``."""
        return self.text.strip()

    @property
    def end(self) -> int:
        """One past the turn's last character in its transcript."""
        return self.start + len(self.marker) + len(self.text)

    def message(self) -> Message:
        """Return the turn as a chat message."""
        return {"role": self.role, "content": self.content}

    def __str__(self) -> str:
        return self.marker + self.text


def make_turn(mark: Mark, text: str, start: int) -> Turn:
    """Return ``Turn(mark, text, start)``, in half the time.

    A frozen class sets each field through `object.__setattr__`. Here the fields are set while the turn is still a
    draft, which has the same slots; from then on it is a `Turn`, as frozen as any other.
    """
    turn = _Draft(mark, text, start)
    turn.__class__ = Turn
    return turn  # type: ignore[return-value]  # as of the line above


@attrs.frozen
class ClosedTurn(Turn):
    """A turn of a grammar whose turns end in a mark of their own, such as ``<|im_end|>``.

    Attributes:
        closing: what stands after the text, up to the turn's end.
    """

    closing: str

    @property
    def end(self) -> int:
        """One past the turn's last character in its transcript, closing mark included."""
        return self.start + len(self.marker) + len(self.text) + len(self.closing)

    def __str__(self) -> str:
        return self.marker + self.text + self.closing


@attrs.frozen
class Reading:
    """How a text was read.

    Attributes:
        table: the markers of the dialect.
        asked: which diagnostics were asked for: ``"structural"`` or ``"all"``.
        control_tokens: whether control tokens are looked for in any case, since a policy is to act on them.
    """

    table: MarkerTable
    asked: Diagnostics = "structural"
    control_tokens: bool = False


@attrs.frozen
class Origin:
    """Where a row was read.

    Attributes:
        source: the file (or other source).
        line: the 1-based line where the row starts, or None where the source has no lines.
        row: the 0-based row of that source.
    """

    source: str
    line: int | None
    row: int


class Placed:
    """Something that may have been read from a source."""

    __slots__ = ()
    origin: Origin | None

    @property
    def source(self) -> str | None:
        """The file (or other source) it was read from, or None."""
        return None if self.origin is None else self.origin.source

    @property
    def line(self) -> int | None:
        """The 1-based line of that source, or None."""
        return None if self.origin is None else self.origin.line


@attrs.frozen
class Transcript(Placed):
    """A preamble and turns, which together are the whole text: ``str(transcript)`` gives it back exactly.

    Attributes:
        preamble: the text before the first marker; ``""`` if there is none.
        turns: the turns, in order.
        reading: how the text was read.
        failed_at: where a user's own grammar stopped, if it does not accept the text; else None.
        origin: where it was read from, if from a file; else None.
    """

    preamble: str
    turns: tuple[Turn, ...]
    reading: Reading = attrs.field(eq=False, repr=False)
    failed_at: int | None = attrs.field(default=None, repr=False)
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    def __str__(self) -> str:
        return self.preamble + "".join(map(str, self.turns))

    @cached_property
    def system_content(self) -> str:
        """The preamble without surrounding white space; ``""`` if there is nothing else in it."""
        return self.preamble.strip()

    @cached_property
    def message_turns(self) -> tuple[Turn, ...]:
        """The turns that become messages: `turns`, and before them a preamble that is not blank, as a system turn."""
        if not self.preamble or not self.system_content:
            return self.turns
        return (Turn(PREAMBLE, self.preamble, 0), *self.turns)

    def messages(self) -> list[Message]:
        """Return the transcript as chat messages, ``[{"role": ..., "content": ...}, ...]``, contents stripped."""
        return [turn.message() for turn in self.message_turns]

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about the text, in the order of its places; found when first read."""
        return _diagnose.locate(str(self), self.findings) if self.findings else ()

    @cached_property
    def findings(self) -> list[Finding]:
        """The same without lines and columns: who asks only for `codes` need not wait for the whole text."""
        findings = _diagnose.structural(self)
        if self.reading.asked == "all":
            findings += _diagnose.advisory(self)
        elif self.reading.control_tokens:
            findings += _diagnose.tokens(self)
        return findings

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of `diagnostics`."""
        return frozenset([finding[0] for finding in self.findings]) if self.findings else NO_CODES


@attrs.frozen
class TurnTree:
    """A stretch of turns and what may follow it. A pair is a trunk with two branches.

    Attributes:
        turns: the turns of this stretch.
        name: ``"chosen"`` or ``"rejected"`` for a branch of a pair, ``""`` for its trunk.
        branches: the trees that go on from here.
    """

    turns: tuple[Turn, ...]
    name: str = ""
    branches: tuple[TurnTree, ...] = ()

    def paths(self) -> Iterator[tuple[Turn, ...]]:
        """Yield the turns from here to each leaf, branch by branch."""
        if not self.branches:
            yield self.turns
        for branch in self.branches:
            for path in branch.paths():
                yield self.turns + path


@attrs.frozen
class Pair(Placed):
    """Two transcripts that begin alike, one preferred over the other.

    ``shared + chosen`` and ``shared + rejected`` rebuild the messages of each side.

    Attributes:
        shared: the longest run of leading turns equal in role and content, never the last turn of a side.
            They are the chosen side's, and so are their spans.
        chosen: the chosen side's turns from there on; at least one, if that side has any.
        rejected: the rejected side's.
        chosen_transcript: the chosen side, whole.
        rejected_transcript: the rejected side, whole.
        origin: where it was read from, if from a file; else None.
    """

    shared: tuple[Turn, ...]
    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]
    chosen_transcript: Transcript = attrs.field(repr=False)
    rejected_transcript: Transcript = attrs.field(repr=False)
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @cached_property
    def relation(self) -> Relation:
        """How the sides relate: the first that fits of the names that `Relation` lists."""
        left, right = self.chosen_transcript.message_turns, self.rejected_transcript.message_turns
        if not left or not right:
            return "empty"
        common = len(self.shared)
        # The shared run stops before the last turn of a side; that turn may be equal too.
        if same_turn(left[common], right[common]):
            common += 1
        if common == len(left) == len(right):
            return "identical"
        if common == min(len(left), len(right)):
            return "extends"
        if len(self.chosen) == len(self.rejected) == 1:
            return "last-turn"
        return "earlier" if len(self.chosen) == len(self.rejected) else "uneven"

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about the chosen side, the rejected side, and the two as a pair, in that order."""
        sides: tuple[tuple[Side, Transcript], ...] = (
            ("chosen", self.chosen_transcript),
            ("rejected", self.rejected_transcript),
        )
        own = [
            Diagnostic(found.code, found.start, found.end, found.line, found.column, found.turn, side)
            for side, transcript in sides
            for found in transcript.diagnostics
        ]
        return (*own, *self.pair_diagnostics) if own else self.pair_diagnostics

    @cached_property
    def pair_diagnostics(self) -> tuple[Diagnostic, ...]:
        """The last part of `diagnostics`: what is odd about the two sides as a pair."""
        sides = {"chosen": self.chosen_transcript, "rejected": self.rejected_transcript}
        return tuple(
            found for side, finding in self._findings for found in _diagnose.locate(str(sides[side]), [finding], side)
        )

    @cached_property
    def _findings(self) -> list[tuple[Side, Finding]]:
        chosen, rejected = self.chosen_transcript, self.rejected_transcript
        if self.relation == "last-turn" and chosen.preamble == rejected.preamble:
            return []
        return list(_diagnose.pair_findings(self.relation, len(self.shared), chosen, rejected))

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of `diagnostics`."""
        own = self.chosen_transcript.codes | self.rejected_transcript.codes
        return own.union([finding[0] for _, finding in self._findings]) if self._findings else own

    def tree(self) -> TurnTree:
        """Return the pair as a tree: the shared turns as its trunk, the two tails as its branches."""
        return TurnTree(self.shared, "", (TurnTree(self.chosen, "chosen"), TurnTree(self.rejected, "rejected")))


def same_turn(a: Turn, b: Turn) -> bool:
    """Tell whether two turns are equal in role and content."""
    return a.role == b.role and (a.text == b.text or a.content == b.content)


def form_pair(chosen: Transcript, rejected: Transcript, known: int = 0) -> Pair:
    """Return two transcripts as a pair.

    Args:
        chosen: the side that was preferred.
        rejected: the other.
        known: how many leading turns, preamble not counted, are known to be equal and not the last of a side.
    """
    left, right = chosen.message_turns, rejected.message_turns
    shared = 0
    if chosen.preamble == rejected.preamble or chosen.system_content == rejected.system_content:
        limit = min(len(left), len(right)) - 1
        # A preamble is one message more, and equal here.
        shared = known and known + len(left) - len(chosen.turns)
        while shared < limit and same_turn(left[shared], right[shared]):
            shared += 1
    return Pair(left[:shared], left[shared:], right[shared:], chosen, rejected)
