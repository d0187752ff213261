"""What a target is: the columns it writes, the rows it takes, and the rules of its consumer, all as data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, Literal, get_args

import attrs

from turnparse._cells import (
    NO_PART,
    WHOLE,
    Cell,
    Index,
    LossMark,
    Part,
    Text,
    leaves,
    loss_mark,
    require_last,
    require_part,
    shape_of,
)
from turnparse._errors import ArgumentError, OptionError, escape, require_str, shown
from turnparse._model import Pair, Transcript, Turn
from turnparse._red_team import METADATA, RedTeamAttempt

Kind = Literal["pair", "red-team", "transcript"]
Side = Literal["chosen", "rejected"]
Training = Literal["supervised", "preference", "prompts", ""]

SIDES: Final = ("chosen", "rejected")

LETTERS: Final = {"user": "u", "assistant": "a", "system": "s"}
"""{role: the letter that stands for a turn of it in the patterns of rules; a capital if the turn is empty}."""

ENTRY_POINTS: Final = "turnparse.targets"
"""The group of entry points in which other distributions register targets of their own."""


def kind_of(item: Pair | RedTeamAttempt | Transcript) -> Kind:
    """Return what kind of row *item* is."""
    if isinstance(item, Pair):
        return "pair"
    return "red-team" if isinstance(item, RedTeamAttempt) else "transcript"


def part_of(item: Pair | RedTeamAttempt | Transcript, part: Part, side: Side) -> tuple[Turn, ...]:
    """Return the turns of *item* that *part* names; *side* is the side of a pair that counts where only one does."""
    if isinstance(item, (RedTeamAttempt, Transcript)):
        turns = (item.transcript if isinstance(item, RedTeamAttempt) else item).message_turns
        last = len(turns) - (bool(turns) and turns[-1].role == "assistant")
        return turns[:last] if part == "prompt" else turns[last:] if part == "completion" else turns
    if part in ("shared", "prompt"):
        return item.shared
    if part in SIDES or part == "completion":
        return item.chosen if (side if part == "completion" else part) == "chosen" else item.rejected
    wanted = side if part == "conversation" else part.removeprefix("whole-")
    return item.shared + (item.chosen if wanted == "chosen" else item.rejected)


def letters_of(turns: tuple[Turn, ...]) -> str:
    """Return the `LETTERS` of *turns*."""
    return "".join(LETTERS[turn.role] if turn.content else LETTERS[turn.role].upper() for turn in turns)


@attrs.frozen
class Rule:
    """Something that a consumer demands of every row.

    Attributes:
        name: what reports call it.
        because: what the consumer does with a row that breaks it.
        part: the turns that it is about.
        pattern: a regular expression that their letters match as a whole: ``u``, ``a`` and ``s`` for turns of the
            user, the assistant and the system, capitals where a turn is empty. A system prompt that the run adds counts.
        differs: instead, whether the last contents of a pair's two sides must differ.
        outside: instead, a text in which the last content of the part must not be found.
        alike: another pattern where the run adds a system prompt, so that all rows have one, for the letters after it.
        schema: whether the target's columns cannot hold a row that breaks it: then it is never only reported.
    """

    name: str
    because: str
    part: Part = "conversation"
    pattern: str = ""
    differs: bool = False
    outside: str = ""
    alike: str = ""
    schema: bool = False

    def __attrs_post_init__(self) -> None:
        """Check what is declared.

        Raises:
            ArgumentError: if the part is none, a pattern is no regular expression, or there is nothing to be kept.
        """
        require_part(self.part)
        for pattern in (self.pattern, self.alike):
            try:
                re.compile(pattern)
            except re.error as error:
                msg = f"expected a regular expression for the rule {escape(self.name)}, found: {escape(str(error))}"
                raise ArgumentError(msg) from None
        if not (self.pattern or self.differs or self.outside):
            msg = f"expected the rule {escape(self.name)} to have a pattern, or another demand, found none"
            raise ArgumentError(msg)

    def holds(self, letters: str, *, led: bool = False) -> bool:
        """Tell whether turns with these *letters* keep the rule; *led* if the run adds a system prompt, which is among them."""
        if led and self.alike:
            return re.fullmatch(self.alike, letters[1:]) is not None
        return re.fullmatch(self.pattern, letters) is not None


@attrs.frozen
class SideFile:
    """A file that a consumer needs beside an output.

    Attributes:
        name: its name, in the folder of the output. In it, and in the text, ``{stem}`` is the name of the output
            without its ending; in the text ``{file}`` is its name, and ``{format}`` the name of its format for the
            loader of Hugging Face's datasets: ``json``, ``parquet`` or ``arrow``. In YAML both are quoted where that is needed.
        text: what it holds; of a file of JSON, its entry of the name ``{stem}``: the others are left as they are.
    """

    name: str
    text: str

    def __attrs_post_init__(self) -> None:
        """Check what is declared.

        Raises:
            ArgumentError: if the name is none of a file in a folder, or that of an output.
        """
        if not self.name or set(self.name) & {"/", "\\", "\0"} or self.name in (".", "..") or "{file}" in self.name:
            msg = f"expected the name of a side file, without a folder, and other than its output's, found {escape(self.name)!r}"
            raise ArgumentError(msg)

    @property
    def is_registry(self) -> bool:
        """Whether outputs share the file, an object of JSON with an entry for each."""
        return self.name.endswith(".json")


@attrs.frozen
class Target:
    """The format of one consumer.

    Attributes:
        name: what ``--to`` calls it.
        about: one sentence.
        link: the consumer's page about its format.
        takes: the kinds of rows that it can hold.
        columns: {column: what it holds}.
        second: the record that is written after it for the same row, if there are two; of the same columns and types.
        rules: what the consumer demands of each row.
        metadata: whether the nine metadata columns of red-team attempts are written beside the others.
        singles: the target for rows of one conversation, where this one is asked for on the way back from such.
        side_files: what else the consumer needs to read an output.
        loading: how the consumer loads an output: a snippet of its language, with ``{file}`` for the output's name.
        trains: what its consumer trains with it: ``"supervised"`` if a model learns to say what is written,
            ``"preference"`` if it learns which of two to prefer, ``"prompts"`` if it is to answer them; empty if the format is
            for nothing in particular.
    """

    name: str
    about: str
    link: str
    takes: tuple[Kind, ...]
    columns: Mapping[str, Cell]
    second: Mapping[str, Cell] | None = None
    rules: tuple[Rule, ...] = ()
    metadata: bool = False
    singles: str | None = None
    side_files: tuple[SideFile, ...] = ()
    loading: str = ""
    trains: Training = ""

    def __attrs_post_init__(self) -> None:
        """Check what is declared.

        Raises:
            ArgumentError: if there are no columns, an optional one is the last, two records differ in columns or types, or
                what it trains is unknown.
        """
        if self.trains not in get_args(Training):
            known = ", ".join(repr(name) for name in get_args(Training))
            msg = f"expected {escape(self.name)} to train one of {known}, found {shown(self.trains)}"
            raise ArgumentError(msg)
        require_last(self.columns, f"the columns of {escape(self.name)}")
        if self.second is not None:
            require_last(self.second, f"the second record of {escape(self.name)}")
            first, second = ({name: shape_of(cell) for name, cell in record.items()} for record in self.records)
            if [*first.items()] != [*second.items()]:
                msg = f"expected both records of {escape(self.name)} to have the same columns, of the same types"
                raise ArgumentError(msg)

    @property
    def records(self) -> tuple[Mapping[str, Cell], ...]:
        """The records that are written of a row: one, or two."""
        return (self.columns,) if self.second is None else (self.columns, self.second)

    @property
    def cells(self) -> list[Cell]:
        """What all columns of all records hold."""
        return [cell for record in self.records for cell in record.values()]

    @property
    def loss(self) -> LossMark | None:
        """The key that says whether a trainer learns from a message, if the target has one."""
        return next((mark for mark in map(loss_mark, self.cells) if mark is not None), None)

    @property
    def writes_text(self) -> bool:
        """Whether there are transcripts, or pieces of them, among what is written."""
        return any(isinstance(leaf, Text) for cell in self.cells for leaf in leaves(cell))

    @property
    def counts_rows(self) -> bool:
        """Whether the numbers of rows are written."""
        return any(isinstance(leaf, Index) for cell in self.cells for leaf in leaves(cell))

    @property
    def reads_whole(self) -> bool:
        """Whether sides of pairs are asked for whole."""
        parts = {leaf.part for cell in self.cells for leaf in leaves(cell) if not isinstance(leaf, NO_PART)}
        return not parts.isdisjoint(WHOLE)

    def written(self, kind: Kind) -> set[str]:
        """Return the columns that a row of *kind* is written to."""
        return {*self.columns, *(METADATA if self.metadata and kind == "red-team" else ())}

    def broken(self, item: Pair | RedTeamAttempt | Transcript, side: Side, *, led: bool = False) -> Iterator[Rule]:
        """Yield the rules that *item* breaks, in their order; *led* if it has a system prompt that the run added."""
        for rule in self.rules:
            turns = part_of(item, rule.part, side)
            if rule.differs:
                if isinstance(item, Pair) and item.chosen and item.rejected:
                    last = item.chosen[-1], item.rejected[-1]
                    if last[0].content == last[1].content:
                        yield rule
            elif rule.outside:
                if turns and turns[-1].content in rule.outside:
                    yield rule
            elif not rule.holds(letters_of(turns), led=led):
                yield rule


@cache
def found_targets() -> tuple[dict[str, Target], dict[str, str]]:
    """Return {name: target} of all that there are, and {name of an entry point: what is wrong with it} of others."""
    import turnparse.targets as package

    modules = (import_module(f"{package.__name__}.{info.name}") for info in iter_modules(package.__path__))
    shipped = {module.TARGET.name: module.TARGET for module in modules}
    registered, broken = _registered()
    # What is shipped stays what it is, whatever else is installed.
    return dict(sorted((registered | shipped).items())), broken


def targets() -> dict[str, Target]:
    """Return {name: target} of all targets: one from each module of `turnparse.targets`, and those that are registered."""
    return found_targets()[0]


def broken_targets() -> dict[str, str]:
    """Return {name: what is wrong} of the targets that other distributions register, and that cannot be had."""
    return found_targets()[1]


def _registered() -> tuple[dict[str, Target], dict[str, str]]:
    # It loads half of the standard library.
    from importlib.metadata import entry_points

    registered: dict[str, Target] = {}
    broken: dict[str, str] = {}
    for point in entry_points(group=ENTRY_POINTS):
        whose = f"{point.value} of {point.dist.name}" if point.dist is not None else point.value
        try:
            found: Any = point.load()
        except Exception as error:  # noqa: BLE001  # somebody else's code, which may raise anything
            broken[point.name] = escape(f"expected {whose} to load, found {type(error).__name__}: {error}", 300)
            continue
        if isinstance(found, Target):
            registered[found.name] = found
        else:
            broken[point.name] = escape(f"expected {whose} to be a Target, found {type(found).__name__}", 300)
    return registered, broken


def target_named(name: str | Target) -> Target:
    """Return the target of that name; one that is a target already as it is.

    Raises:
        ArgumentError: if it is neither.
        OptionError: if there is none; the message lists what there is.
    """
    if isinstance(name, Target):
        return name
    found = targets().get(require_str(name, "the target"))
    if found is None and name in broken_targets():
        msg = f"{broken_targets()[name]}; mend or remove that distribution"
        raise OptionError(msg)
    if found is None:
        msg = f"expected a target ({', '.join(targets())}), found {escape(name)!r}"
        raise OptionError(msg)
    return found
