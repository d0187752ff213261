"""The calls that read one text, or one pair of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnparse._dialect import DEFAULT, Dialect, resolve
from turnparse._errors import OptionError, require_str, shown
from turnparse._model import Diagnostics, Pair, Transcript

if TYPE_CHECKING:
    from lark import Token, Tree


def parse(text: str, *, dialect: Dialect | str = DEFAULT, diagnostics: Diagnostics = "structural") -> Transcript:
    """Return *text* as a transcript; ``str(parse(text)) == text`` for every `str`.

    Args:
        text: any text at all, lone surrogates included.
        dialect: a `Dialect`, the name of a shipped one, or the path of a grammar file.
        diagnostics: ``"structural"``, or ``"all"`` to look for advisory codes as well.

    Raises:
        ArgumentError: if *text* is not a `str`. Nothing is raised about what a text holds: what is odd about it
            becomes a diagnostic.
        DialectError: if the dialect cannot be had.
        OptionError: if *diagnostics* is neither of its values.
    """
    return resolve(dialect).read(require_str(text, "the transcript"), asked(diagnostics))


def parse_pair(
    chosen: str, rejected: str, *, dialect: Dialect | str = DEFAULT, diagnostics: Diagnostics = "structural"
) -> Pair:
    """Return two texts as a pair: the turns they share, and the tail of each. What they share is read once.

    Args:
        chosen: the text that was preferred.
        rejected: the other.
        dialect: as for `parse`.
        diagnostics: as for `parse`.

    Raises:
        ArgumentError: if either text is not a `str`.
        DialectError: if the dialect cannot be had.
        OptionError: if *diagnostics* is neither of its values.
    """
    require_str(chosen, "chosen")
    require_str(rejected, "rejected")
    return resolve(dialect).read_pair(chosen, rejected, asked(diagnostics))


def parse_tree(text: str, *, dialect: Dialect | str = DEFAULT) -> Tree[Token]:
    """Return Lark's own tree of *text*; each ``turn`` has its place in ``meta.start_pos`` and ``meta.end_pos``.

    Raises:
        ArgumentError: if *text* is not a `str`.
        DialectError: if the dialect cannot be had.
        ParseError: if a user's own grammar does not accept the text; the shipped ones accept every text.
    """
    return resolve(dialect).parse_tree(require_str(text, "the transcript"))


def asked(diagnostics: object) -> Diagnostics:
    """Return *diagnostics* if it is one of its two values.

    Raises:
        OptionError: if it is not.
    """
    if diagnostics == "structural":
        return "structural"
    if diagnostics == "all":
        return "all"
    msg = f"expected diagnostics to be 'structural' or 'all', found {shown(diagnostics)}"
    raise OptionError(msg)
