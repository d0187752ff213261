"""What a target is: the columns it writes, the rows it takes, and the rules of its consumer, all as data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, Literal

import attrs

from turnparse._errors import OptionError, escape, require_str
from turnparse._markers import Role
from turnparse._model import Message, Pair, Transcript, Turn
from turnparse._red_team import METADATA, RedTeamAttempt

Kind = Literal["pair", "red-team", "transcript"]
Part = Literal["shared", "chosen", "rejected", "whole-chosen", "whole-rejected", "conversation"]
Side = Literal["chosen", "rejected"]

SIDES: Final = ("chosen", "rejected")


def kind_of(item: Pair | RedTeamAttempt | Transcript) -> Kind:
    """Return what kind of row *item* is."""
    if isinstance(item, Pair):
        return "pair"
    return "red-team" if isinstance(item, RedTeamAttempt) else "transcript"


def part_of(item: Pair | RedTeamAttempt | Transcript, part: Part, side: Side) -> tuple[Turn, ...]:
    """Return the turns of *item* that *part* names.

    Args:
        item: a row.
        part: ``shared``, ``chosen`` and ``rejected`` are a pair's fields, the ``whole-`` ones each side from its
            start; ``conversation`` is an attempt's or transcript's turns, or those of a pair's *side*.
        side: which side of a pair ``conversation`` is.
    """
    if isinstance(item, RedTeamAttempt):
        return item.transcript.message_turns
    if isinstance(item, Transcript):
        return item.message_turns
    if part == "shared":
        return item.shared
    if part in SIDES:
        return item.chosen if part == "chosen" else item.rejected
    wanted = side if part == "conversation" else part.removeprefix("whole-")
    return item.shared + (item.chosen if wanted == "chosen" else item.rejected)


@attrs.frozen
class Rule:
    """Something that a consumer demands of every row.

    Attributes:
        name: what reports call it.
        part: the turns that it is about.
        ends_with: the roles that the last of these turns may have; there must be one.
        because: what the consumer does with a row that breaks it.
    """

    name: str
    part: Part
    ends_with: tuple[Role, ...]
    because: str

    def holds(self, turns: tuple[Turn, ...]) -> bool:
        """Tell whether *turns* keep the rule."""
        return bool(turns) and turns[-1].role in self.ends_with


@attrs.frozen
class Target:
    """The format of one consumer.

    Attributes:
        name: what ``--to`` calls it.
        about: one sentence.
        link: the consumer's page about its format.
        takes: the kinds of rows that it can hold.
        columns: {column: the turns that it holds, as chat messages}.
        rules: what the consumer demands of each row.
        metadata: whether the nine metadata columns of red-team attempts are written beside the others.
    """

    name: str
    about: str
    link: str
    takes: tuple[Kind, ...]
    columns: dict[str, Part]
    rules: tuple[Rule, ...] = ()
    metadata: bool = False

    def record(self, item: Pair | RedTeamAttempt | Transcript, side: Side) -> dict[str, Any]:
        """Return *item* as a row of this target; its kind must be one that the target takes."""
        row: dict[str, Any] = {column: _messages(part_of(item, part, side)) for column, part in self.columns.items()}
        if self.metadata and isinstance(item, RedTeamAttempt):
            row |= item.metadata()
        return row

    def written(self, kind: Kind) -> set[str]:
        """Return the columns that a row of *kind* is written to."""
        return {*self.columns, *(METADATA if self.metadata and kind == "red-team" else ())}

    def broken(self, item: Pair | RedTeamAttempt | Transcript, side: Side) -> Iterator[Rule]:
        """Yield the rules that *item* breaks."""
        return (rule for rule in self.rules if not rule.holds(part_of(item, rule.part, side)))


def _messages(turns: tuple[Turn, ...]) -> list[Message]:
    return [turn.message() for turn in turns]


@cache
def targets() -> dict[str, Target]:
    """Return {name: target} of all targets: one from each module of `turnparse.targets`."""
    import turnparse.targets as package

    modules = (import_module(f"{package.__name__}.{info.name}") for info in iter_modules(package.__path__))
    return {target.name: target for target in sorted((module.TARGET for module in modules), key=lambda t: t.name)}


def target_named(name: str) -> Target:
    """Return the target of that name.

    Raises:
        OptionError: if there is none; the message lists what there is.
    """
    found = targets().get(require_str(name, "the target"))
    if found is None:
        msg = f"expected a target ({', '.join(targets())}), found {escape(name)!r}"
        raise OptionError(msg)
    return found
