"""A dialect: a grammar, what follows from it, and the reader that serves it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from turnparse import _scan, _terminals, _tree
from turnparse._errors import DialectError, OptionError, ParseError, escape, require_path, require_str
from turnparse._labels import checked_labels, relabelled
from turnparse._markers import ROLES, MarkerTable
from turnparse._model import Diagnostics, Pair, Reading, Transcript, form_pair

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

DEFAULT: Final = "hh"
SUFFIX: Final = ".lark"


def _grammars() -> Traversable:
    """Return the folder of the shipped grammars: inside the package when installed, beside it in a checkout."""
    inside = files("turnparse") / "grammar"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "grammar"


@attrs.frozen(eq=False)
class Dialect:
    """A way of writing dialogues down, defined by a Lark grammar and nothing else.

    The grammar has the rules ``transcript``, ``preamble`` and ``turn``, and its labels are terminals named for the
    role of their turns: ``USER``, ``ASSISTANT``, ``SYSTEM``. The content of a turn is what its ``TEXT`` terminals
    match. A grammar with the rules of the shipped ``hh.lark`` and finitely many markers is *flat*, and read
    by a scan; any other is read by Lark.

    Make one with `Dialect.named`, `Dialect.from_file` or `Dialect.from_text`; of a flat one `with_labels` makes another.

    Attributes:
        name: what messages call it.
        grammar: the text of the grammar.
        origin: how a command line asks for it: a shipped name or a file, and then labels as ``ROLE=LABEL``; empty if it cannot.
    """

    name: str
    grammar: str = attrs.field(repr=False)
    origin: tuple[str, ...] = attrs.field(default=(), repr=False)

    @classmethod
    def named(cls, name: str = DEFAULT) -> Dialect:
        """Return the shipped dialect of that name, such as ``"hh"``.

        Raises:
            DialectError: if there is none; the message lists what there is.
        """
        return _named(require_str(name, "the name of a dialect"))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Dialect:
        """Return the dialect of a grammar file in UTF-8.

        Raises:
            DialectError: if the file cannot be read, or its grammar cannot serve as a dialect.
        """
        name = require_path(path, "the grammar file")
        try:
            text = Path(name).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            msg = f"expected a grammar file in UTF-8, found {escape(str(error))}"
            raise DialectError(msg, source=escape(name)) from None
        return attrs.evolve(cls.from_text(text, name=name), origin=(name,))

    @classmethod
    def from_text(cls, text: str, *, name: str = "a grammar given as text") -> Dialect:
        """Return the dialect of a grammar.

        Raises:
            DialectError: if Lark refuses the grammar, or it lacks the rules and labels that a dialect needs.
        """
        dialect = cls(name, require_str(text, "the grammar"))
        dialect.validate()
        return dialect

    def with_labels(
        self,
        *,
        user: str | Sequence[str] | None = None,
        assistant: str | Sequence[str] | None = None,
        system: str | Sequence[str] | None = None,
        **others: str | Sequence[str] | None,
    ) -> Dialect:
        """Return this dialect with other labels, as ``Dialect.named().with_labels(user="User", assistant="Bot")``.

        Args:
            user: the label of turns with that role, or several, of which `turnparse.render` writes the shortest; None
                to keep what it has.
            assistant: likewise.
            system: likewise.
            others: there are no other roles.

        Raises:
            ArgumentError: if a label is no `str`.
            OptionError: if a role is none, if a label cannot be one, or belongs to two roles, or the dialect is not flat.
        """
        labels = checked_labels({"user": user, "assistant": assistant, "system": system, **others})
        told = ", ".join(f"{role}={name}" for role, names in labels.items() for name in names)
        if not self.flat:
            msg = f"expected a flat dialect to give other labels, found {escape(self.name)}: change its grammar instead"
            raise OptionError(msg)
        made = Dialect.from_text(relabelled(self.grammar, self.table, labels), name=f"{self.name} with {told}")
        if not made.flat:
            msg = f"expected labels that {escape(self.name)} can be scanned with, found too many: {escape(told)}"
            raise OptionError(msg)
        kept = [label for label in self.origin[1:] if label.partition("=")[0] not in labels]
        asked = [f"{role}={name}" for role, names in labels.items() for name in names]
        return attrs.evolve(made, origin=(*self.origin[:1], *kept, *asked) if self.origin else ())

    def validate(self) -> None:
        """Check that the grammar compiles and names its rules and labels as a dialect does.

        Raises:
            DialectError: if it does not.
        """
        rules = {rule.origin.name: rule for rule in self.lark.rules}
        terminals = {terminal.name for terminal in self.lark.terminals}
        labels = self._label_patterns
        if missing := {"transcript", "turn"} - rules.keys():
            msg = f"the grammar to define the rules transcript, preamble and turn, found no {missing.pop()}"
        elif any(rule.alias for rule in self.lark.rules if rule.origin.name in ("transcript", "turn")):
            msg = "the rules transcript and turn to have no alias, found one"
        elif self.lark.ignore_tokens:
            msg = "every character to belong to a turn or the preamble, found %ignore"
        elif not labels:
            msg = f"label terminals named {', '.join(ROLES)}, found none"
        elif "TEXT" not in terminals:
            msg = "the content of turns to be matched by a terminal named TEXT, found none in the rules"
        elif len(set(labels.values())) < len(labels):
            msg = "each role to have labels of its own, found one label for two roles"
        elif not (labels.keys() & terminals or self._markers):
            msg = "a terminal of the rules to be or to hold a label, found none that says where it stands"
        else:
            return
        raise DialectError(f"expected {msg}", source=escape(self.name))

    @cached_property
    def lark(self) -> Lark:
        """The grammar as Lark compiled it: LALR, every token kept, with positions."""
        return _compile(self.grammar, self.name)

    @cached_property
    def _label_patterns(self) -> dict[str, str]:
        """{label terminal: its regular expression}, of those that the grammar defines."""
        # Lark drops a terminal that stands only inside others, unless it is asked to keep all.
        terminals = self.lark.grammar.compile(["transcript"], "*")[0]
        return {t.name: t.pattern.to_regexp() for t in terminals if t.name in ROLES}

    @cached_property
    def _markers(self) -> dict[str, re.Pattern[str]]:
        """{terminal that holds labels: its regular expression, with a named group around each label}."""
        overrides = [
            f"%override {name}: /(?P<{name}>{_as_literal(pattern)})/" for name, pattern in self._label_patterns.items()
        ]
        try:
            lark = _compile("\n".join([self.grammar, *overrides, ""]), self.name)
            patterns = {terminal.name: re.compile(terminal.pattern.to_regexp()) for terminal in lark.terminals}
        except (DialectError, re.error, OverflowError, RecursionError):
            # A label that stands twice in a marker cannot be a named group twice.
            return {}
        return {name: pattern for name, pattern in patterns.items() if pattern.groupindex and name not in ROLES}

    @cached_property
    def table(self) -> MarkerTable:
        """The markers letter by letter; empty if the grammar is not flat."""
        flat = MarkerTable(())
        if "MARKER" not in self._markers or (self.grammar != _shipped(DEFAULT) and not self._has_flat_rules()):
            return flat
        try:
            table = MarkerTable(_terminals.literal_markers(self._markers["MARKER"].pattern))
        except (_terminals.NotFiniteError, RecursionError):
            # A label of a thousand letters is beyond this walk, but not beyond Lark.
            return flat
        terminals = {terminal.name: terminal for terminal in self.lark.terminals}
        wins = terminals["MARKER"].priority > terminals["TEXT"].priority
        text = terminals["TEXT"].pattern.to_regexp()
        first = {marker.literal[0] for marker in table.unanchored}
        if not (wins and first and _terminals.covers_without_overrun(text, first)):
            return flat
        return table

    def _has_flat_rules(self) -> bool:
        """Tell whether the rules, not the terminals, are those of the shipped grammar."""
        return (
            set(map(str, self.lark.rules)) == set(map(str, Dialect.named().lark.rules)) and not self.lark.ignore_tokens
        )

    @cached_property
    def flat(self) -> bool:
        """Whether a scan reads it: its rules are the shipped grammar's, and its markers finitely many."""
        return bool(self.table.markers)

    @cached_property
    def readings(self) -> dict[Diagnostics, Reading]:
        """{which diagnostics are asked for: how a text is read then}."""
        return {"structural": Reading(self.table, "structural"), "all": Reading(self.table, "all")}

    def parse_tree(self, text: str) -> Tree[Token]:
        """Return Lark's tree of *text*.

        Raises:
            ParseError: if the grammar does not accept the text (the shipped ones accept every text).
        """
        from lark.exceptions import UnexpectedInput

        try:
            return self.lark.parse(text)
        except UnexpectedInput as error:
            at = _position(error, text)
            line_start = text.rfind("\n", 0, at) + 1
            found = escape(text[at : at + 20], 20) if at < len(text) else "the end of the text"
            msg = f"expected what the dialect {escape(self.name)} allows, found {found!r}"
            failure = ParseError(msg, line=text.count("\n", 0, at) + 1, column=at - line_start + 1)
            failure.offset = at
            raise failure from None

    def read_tree(self, text: str, asked: Diagnostics = "structural") -> Transcript:
        """Return *text* as a transcript, read by Lark."""
        try:
            tree = self.parse_tree(text)
        except ParseError as error:
            # Not an error here: every text is some transcript, and what is odd about it is a diagnostic.
            return Transcript(text, (), self.readings[asked], failed_at=error.offset)
        return _tree.transcript_of(tree, text, self.readings[asked], self._markers)

    def read(self, text: str, asked: Diagnostics = "structural") -> Transcript:
        """Return *text* as a transcript, read by the fastest reader that serves this dialect."""
        return _scan.scan(text, self.readings[asked]) if self.flat else self.read_tree(text, asked)

    def read_pair(self, chosen: str, rejected: str, asked: Diagnostics = "structural") -> Pair:
        """Return two texts as a pair, read by the fastest reader that serves this dialect."""
        if self.flat:
            return _scan.scan_pair(chosen, rejected, self.readings[asked])
        return form_pair(self.read_tree(chosen, asked), self.read_tree(rejected, asked))

    def __reduce__(self) -> tuple[Any, ...]:
        # Compiled parsers are neither small nor sure to pickle; the grammar says it all.
        return Dialect, (self.name, self.grammar, self.origin)


def _compile(grammar: str, name: str) -> Lark:
    from lark import Lark

    try:
        return Lark(
            grammar,
            parser="lalr",
            start="transcript",
            propagate_positions=True,
            keep_all_tokens=True,
            maybe_placeholders=False,
        )
    except Exception as error:  # noqa: BLE001  # whatever Lark raises about a grammar, the grammar is at fault
        msg = f"expected a Lark grammar for LALR with a rule named transcript, found: {escape(str(error), 300)}"
        raise DialectError(msg, source=escape(name)) from None


def _as_literal(pattern: str) -> str:
    """Return a regular expression as it is written between the slashes of a Lark grammar."""
    return re.sub(r"\\?\n", r"\\n", re.sub(r"(?<!\\)/", r"\/", pattern))


def _position(error: UnexpectedInput, text: str) -> int:
    """Return where Lark stopped, in characters."""
    token = getattr(error, "token", None)
    # At the end of the input Lark gives the place of the last token.
    at_end = getattr(token, "type", "") == "$END"
    position: int | None = None if at_end else error.pos_in_stream
    return len(text) if position is None else position


def _shipped(name: str) -> str:
    return (_grammars() / f"{name}{SUFFIX}").read_text(encoding="utf-8")


@cache
def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped dialects, sorted."""
    names = (entry.name.removesuffix(SUFFIX) for entry in _grammars().iterdir() if entry.name.endswith(SUFFIX))
    return tuple(sorted(names))


@cache
def _named(name: str) -> Dialect:
    known = shipped_names()
    if name not in known:
        msg = f"expected a shipped dialect ({', '.join(known)}) or a file that ends in {SUFFIX}, found {escape(name)!r}"
        raise DialectError(msg)
    return Dialect(name, _shipped(name), (name,))


def resolve(dialect: object) -> Dialect:
    """Return *dialect* if it is one, else the shipped dialect of that name, else that of that grammar file.

    Raises:
        DialectError: if there is no such dialect, or its grammar cannot serve as one.
    """
    if isinstance(dialect, Dialect):
        return dialect
    # This is on the way of every per-row call.
    if isinstance(dialect, str) and dialect in shipped_names():
        return _named(dialect)
    name = require_path(dialect, "the dialect")
    is_file = not isinstance(dialect, str) or name.endswith(SUFFIX) or isfile(name)  # noqa: PTH113  # Path.is_file raises where a name is too long
    return Dialect.from_file(name) if is_file else _named(name)
