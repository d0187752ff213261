"""What is read off a grammar's terminals: markers letter by letter, and whether text can be skipped safely."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import HH
from turnparse import Dialect
from turnparse._terminals import NotFiniteError, covers_without_overrun, literal_markers

PIECES = st.sampled_from(
    ["a", "b", "ab", "[ab]", "[a-c]", "(?:a|bc)", "(?:ab?|c)", "b{0,2}", "(?:x(?:y|z))?", r"\A", r"\\n"]
)


@given(st.lists(PIECES, max_size=2), st.lists(PIECES.filter(lambda piece: piece != r"\A"), max_size=2))
def test_literals_are_what_the_pattern_matches(before: list[str], after: list[str]) -> None:
    """Every literal matches whole at the place it may stand, its label where it says, in the order `re` prefers."""
    pattern = "".join(before) + "(?P<USER>U|u)" + "".join(after)
    try:
        markers = literal_markers(pattern)
    except NotFiniteError:
        assert r"\A" in before[1:]
        return
    for marker in markers:
        prefix = "" if marker.anchored else "-"
        found = re.compile(pattern).match(prefix + marker.literal, len(prefix))
        assert found is not None
        whole = [other for other in markers if other.literal == found[0]]
        assert whole
        assert marker.label in {"U", "u"}
        assert marker.role == "user"
    preferred = [m.literal for m in markers if m.anchored == (r"\A" in before)]
    alternation = re.compile("|".join(map(re.escape, preferred)))
    for literal in preferred:
        matched, expected = alternation.match(literal), re.match(pattern, literal)
        assert matched is not None
        assert expected is not None
        assert matched[0] == expected[0]


@pytest.mark.parametrize(
    "pattern",
    ["a+(?P<USER>U)", "(?P<USER>U*)", "(?i:(?P<USER>U))", r"\d(?P<USER>U)", "(?P<USER>U)(?=x)", "^(?P<USER>U)", "x", ".(?P<USER>U)",
     "[^a](?P<USER>U)", "(?P<USER>[a-z][a-z])", r"x\A(?P<USER>U)", "(?i)(?P<USER>U)"],
)  # fmt: skip
def test_endless_or_looking_around_is_refused(pattern: str) -> None:
    """A marker that depends on anything but its own finitely many characters is not spelt out."""
    with pytest.raises(NotFiniteError):
        literal_markers(pattern)


@pytest.mark.parametrize(
    ("pattern", "first", "safe"),
    [
        (r"[^\r\n]+|\r|\n", {"\r", "\n"}, True),
        (r"[^\n]+|\n", {"\n"}, True),
        (r"[^\n]+|\n", {"\r", "\n"}, False),
        (r"[^\r\n]+|\n", {"\n"}, False),
        ("(?s:.)", {"a"}, True),
        (".", {"a"}, False),
        (r"[^\n]*|\n", {"\n"}, False),
        (r"[^\n]+\n|\n", {"\n"}, False),
        (r"\w+|\W", {"\n"}, False),
        (r"[^#]+|#", {"#"}, True),
    ],
)
def test_text_that_can_be_skipped(pattern: str, first: set[str], *, safe: bool) -> None:
    """Text is skipped only if its pieces cover every character and none can run over the start of a marker."""
    assert covers_without_overrun(pattern, first) == safe


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MARKER.1:", "MARKER:"),
        (r"TEXT: /[^\r\n]+|\r|\n/", r"TEXT: /[^\n]+|\n/"),
        (r"TEXT: /[^\r\n]+|\r|\n/", r"TEXT: /(.|\n)+?/"),
        ('BREAK: "\\n\\n" | "\\r\\n\\r\\n"', r"BREAK: /\n\n+/"),
        ("turn: MARKER TEXT*", "turn: MARKER TEXT+"),
    ],
)
def test_grammars_that_a_scan_could_misread_are_left_to_lark(old: str, new: str) -> None:
    """A grammar that differs from the flat shape in one place is not scanned."""
    assert old in HH.grammar
    changed = HH.grammar.replace(old, new)

    assert not Dialect.from_text(changed).flat
