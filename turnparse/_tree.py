"""The tree reader: Lark itself. It is the reference, and the only reader of a grammar that is not flat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from turnparse._errors import DialectError
from turnparse._markers import ROLES, Mark, Marker, MarkerTable, Role
from turnparse._model import ClosedTurn, Reading, Transcript, Turn

if TYPE_CHECKING:
    from lark import Token, Tree

Markers = Mapping[str, re.Pattern[str]]
"""{terminal that holds labels: its regular expression, with a named group around each label}."""


def transcript_of(tree: Tree[Token], text: str, reading: Reading, markers: Markers) -> Transcript:
    """Return Lark's *tree* of *text* as a transcript; every character goes to exactly one part."""
    subtrees = list(tree.find_pred(lambda node: node.data == "turn"))
    if not subtrees:
        return Transcript(text, (), reading)
    subtrees.sort(key=lambda node: node.meta.start_pos)
    ends = [node.meta.start_pos for node in subtrees[1:]] + [len(text)]
    turns = tuple(_turn(node, end, text, markers) for node, end in zip(subtrees, ends, strict=True))
    if not reading.table.markers:
        # The markers of this grammar are not known letter by letter, but those of this text are now.
        reading = Reading(_table_of(frozenset(turn.mark for turn in turns)), reading.asked)
    return Transcript(text[: turns[0].start], turns, reading)


def _turn(node: Tree[Token], end: int, text: str, markers: Markers) -> Turn:
    start = node.meta.start_pos
    # A grammar may nest turns; what is inside the next one is not this one's.
    tokens = [token for token in node.scan_values(lambda _: True) if (token.start_pos or 0) < end]
    label = next(filter(None, (_label_of(token, text, markers) for token in tokens)), None)
    # Lark leaves terminals whose names begin with an underscore out of its tree.
    label = label or next(filter(None, (_label_at(start, text, pattern) for pattern in markers.values())), None)
    if label is None:
        msg = "expected each turn of the grammar to hold a USER, ASSISTANT or SYSTEM terminal, found one without"
        raise DialectError(msg)
    pieces = [token for token in tokens if token.type == "TEXT"]
    text_start, text_end = (pieces[0].start_pos, pieces[-1].end_pos) if pieces else (end, end)
    assert text_start is not None and text_end is not None  # noqa: S101, PT018  # Lark's lexer always sets both
    mark = Mark(text[start:text_start], *label)
    if text_end < end:
        return ClosedTurn(mark, text[text_start:text_end], start, text[text_end:end])
    return Turn(mark, text[text_start:text_end], start)


def _label_of(token: Token, text: str, markers: Markers) -> tuple[Role, str] | None:
    """Return the role and label that *token* is or holds, or None."""
    if token.type in ROLES:
        return ROLES[token.type], str(token)
    pattern = markers.get(token.type)
    return None if pattern is None else _label_at(token.start_pos or 0, text, pattern)


def _label_at(at: int, text: str, pattern: re.Pattern[str]) -> tuple[Role, str] | None:
    """Return the role and label in the match of *pattern* at *at*, or None if it does not match there."""
    # Where it stands in the text, since it may look around.
    found = pattern.match(text, at)
    # lastgroup cannot serve here: a group that closed later, the whole marker's, would hide the label's.
    labels = ((ROLES[name], label) for name, label in (found.groupdict() if found else {}).items() if label is not None)
    return next(labels, None)


@lru_cache(maxsize=256)  # texts of one grammar have few different sets of markers
def _table_of(marks: frozenset[Mark]) -> MarkerTable:
    """Return the markers that begin with *marks*, as a table."""
    markers = []
    for mark in sorted(marks, key=lambda mark: mark.literal):
        at = mark.literal.find(mark.speaker or "")
        markers.append(Marker(mark.literal, mark.role, at, at + len(mark.speaker or ""), anchored=at == 0))
    return MarkerTable(tuple(markers))
