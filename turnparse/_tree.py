"""The tree reader: Lark itself. It is the reference, and the only reader of a grammar that is not flat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from turnparse._errors import DialectError
from turnparse._markers import ROLES, Mark, Role
from turnparse._model import ClosedTurn, Reading, Transcript, Turn

if TYPE_CHECKING:
    from lark import Token, Tree


def label_of(token: Token, marker: re.Pattern[str] | None) -> tuple[Role, str] | None:
    """Return the role and label that *token* carries, or None if it is neither a label nor a marker with one."""
    if token.type in ROLES:
        return ROLES[token.type], str(token)
    if token.type == "MARKER" and marker is not None:
        found = marker.match(token)
        # lastgroup cannot serve here: a group that closed later, the whole marker's, would hide the label's.
        for name, label in (found.groupdict() if found else {}).items():
            if label is not None:
                return ROLES[name], label
    return None


def transcript_of(tree: Tree[Token], text: str, reading: Reading, marker: re.Pattern[str] | None) -> Transcript:
    """Return Lark's *tree* of *text* as a transcript; every character goes to exactly one part."""
    subtrees = list(tree.find_pred(lambda node: node.data == "turn"))
    if not subtrees:
        return Transcript(text, (), reading)
    subtrees.sort(key=lambda node: node.meta.start_pos)
    ends = [node.meta.start_pos for node in subtrees[1:]] + [len(text)]
    turns = tuple(_turn(node, end, text, marker) for node, end in zip(subtrees, ends, strict=True))
    return Transcript(text[: turns[0].start], turns, reading)


def _turn(node: Tree[Token], end: int, text: str, marker: re.Pattern[str] | None) -> Turn:
    # A grammar may nest turns; what is inside the next one is not this one's.
    tokens = [token for token in node.scan_values(lambda _: True) if (token.start_pos or 0) < end]
    label = next(filter(None, (label_of(token, marker) for token in tokens)), None)
    if label is None:
        msg = "expected each turn of the grammar to hold a USER, ASSISTANT or SYSTEM terminal, found one without"
        raise DialectError(msg)
    start = node.meta.start_pos
    pieces = [token for token in tokens if token.type == "TEXT"]
    text_start, text_end = (pieces[0].start_pos, pieces[-1].end_pos) if pieces else (end, end)
    assert text_start is not None and text_end is not None  # noqa: S101, PT018  # Lark's lexer always sets both
    mark = Mark(text[start:text_start], *label)
    if text_end < end:
        return ClosedTurn(mark, text[text_start:text_end], start, text[text_end:end])
    return Turn(mark, text[text_start:text_end], start)
