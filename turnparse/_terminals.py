"""What a grammar's terminals can match: every marker letter by letter, where they are finitely many.

The fast readers need markers as plain strings. Rather than ask the grammar's author to write them a second time,
this walks the regular expression that Lark composed for the marker terminal.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found]  # no stubs; Lark rests on these two modules as well
import re._parser as regex  # type: ignore[import-not-found]  # as above
from collections.abc import Iterator
from typing import Any, Final

import attrs

from turnparse._markers import ROLES, Marker

LIMIT: Final = 256
"""At most this many markers are spelt out: HH has six, and every pattern built from them grows with their number."""


class NotFiniteError(Exception):
    """A terminal matches too much to be spelt out. Never leaves the package: the caller turns to Lark."""


@attrs.frozen
class _Piece:
    """One string that a part of a regular expression matches."""

    text: str = ""
    anchored: bool = False
    label: tuple[str, int, int] | None = None
    """The label terminal, and where its match starts and ends in `text`."""

    def then(self, other: _Piece) -> _Piece:
        if other.anchored and self.text:
            # \A after a character never matches; such a string is no marker, but no author writes it either.
            raise NotFiniteError
        label = self.label
        if other.label is not None:
            name, start, end = other.label
            label = (name, len(self.text) + start, len(self.text) + end)
        return _Piece(self.text + other.text, self.anchored or other.anchored, label)


def literal_markers(pattern: str) -> tuple[Marker, ...]:
    """Return every marker that *pattern* matches, in the order in which `re` would try them.

    Args:
        pattern: the regular expression of a marker terminal, its label terminals as groups named like them.

    Raises:
        NotFiniteError: if they are more than `LIMIT`, or depend on more than the characters they consist of.
    """
    parsed = regex.parse(pattern)
    if parsed.state.flags & ~(re.UNICODE | re.DOTALL | re.MULTILINE):
        raise NotFiniteError
    names = {index: name for name, index in parsed.state.groupdict.items()}
    markers = []
    for piece in _sequence(list(parsed), names):
        if piece.label is None or not piece.text:
            raise NotFiniteError
        name, start, end = piece.label
        if name not in ROLES:
            # A group of the grammar's own, and no label.
            raise NotFiniteError
        markers.append(Marker(piece.text, ROLES[name], start, end, piece.anchored))
        if len(markers) > LIMIT:
            raise NotFiniteError
    # A string may be matched in more than one way; only the first way ever counts.
    first = tuple({(m.literal, m.anchored): m for m in reversed(markers)}.values())[::-1]
    if len({(m.literal, m.role, m.label_start, m.label_end) for m in first}) > len({m.literal for m in first}):
        # What a marker means would depend on where it stands; the scan looks it up by its letters alone.
        raise NotFiniteError
    return first


def _sequence(items: list[Any], names: dict[int, str]) -> Iterator[_Piece]:
    if not items:
        yield _Piece()
        return
    op, value = items[0]
    for first in _one(op, value, names):
        for rest in _sequence(items[1:], names):
            yield first.then(rest)


def _one(op: Any, value: Any, names: dict[int, str]) -> Iterator[_Piece]:
    if op is ops.LITERAL:
        yield _Piece(chr(value))
    elif op is ops.IN:
        yield from map(_Piece, _members(value))
    elif op is ops.BRANCH:
        for branch in value[1]:
            yield from _sequence(list(branch), names)
    elif op is ops.SUBPATTERN:
        group, added, removed, inner = value
        if added & re.IGNORECASE or removed:
            raise NotFiniteError
        for piece in _sequence(list(inner), names):
            yield attrs.evolve(piece, label=(names[group], 0, len(piece.text))) if group in names else piece
    elif op is ops.MAX_REPEAT and value[1] is not ops.MAXREPEAT and value[1] <= LIMIT:
        least, most, inner = value
        for count in range(most, least - 1, -1):
            yield from _sequence(list(inner) * count, names)
    elif op is ops.AT and value is ops.AT_BEGINNING_STRING:
        yield _Piece(anchored=True)
    else:
        raise NotFiniteError


def _members(items: list[Any]) -> Iterator[str]:
    for op, value in items:
        if op is ops.LITERAL:
            yield chr(value)
        elif op is ops.RANGE and value[1] - value[0] < LIMIT:
            yield from map(chr, range(value[0], value[1] + 1))
        else:
            raise NotFiniteError


def covers_without_overrun(pattern: str, first: set[str]) -> bool:
    """Tell whether pieces of text can be skipped from one marker to the next.

    They can if *pattern* matches some piece at every character, and no piece longer than one character goes on to
    a character of *first*, the characters that a marker can begin with: then a reader that tries markers at
    every piece finds exactly the markers that a search finds.
    """
    parsed = regex.parse(pattern)
    items = list(parsed)
    branches = [list(branch) for branch in items[0][1][1]] if items and items[0][0] is ops.BRANCH else [items]
    excluded: set[str] | None = None
    for branch in branches:
        if len(branch) != 1:
            return False
        op, value = branch[0]
        if op is ops.MAX_REPEAT and value[0] == 1 and len(value[2]) == 1:
            stops = _excluded(*value[2][0])
            if stops is None or not first <= stops:
                return False
            excluded = stops if excluded is None else excluded & stops
        elif _is_any_character(op, value, parsed.state.flags):
            excluded = set()
        elif op not in (ops.LITERAL, ops.IN):
            return False
    return excluded is not None and all(re.fullmatch(pattern, char) for char in excluded)


def _is_any_character(op: Any, value: Any, flags: int) -> bool:
    if op is ops.SUBPATTERN and len(value[3]) == 1:
        inner, inner_value = value[3][0]
        return _is_any_character(inner, inner_value, flags | value[1])
    return op is ops.ANY and bool(flags & re.DOTALL)


def _excluded(op: Any, value: Any) -> set[str] | None:
    """Return the characters that a negated set leaves out, or None if this is no such set."""
    if op is ops.NOT_LITERAL:
        return {chr(value)}
    if op is ops.IN and value[0][0] is ops.NEGATE:
        try:
            return set(_members(value[1:]))
        except NotFiniteError:
            return None
    return None
