"""The hypothesis strategies of all tests. Labels and markers come from the grammar, as they do in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark

from turnparse import Dialect, Message

HH = Dialect.named()
DIALECTS = Path(__file__).parent / "dialects"

MARKERS = [marker.literal for marker in HH.table.markers]
UNANCHORED = [marker.literal for marker in HH.table.unanchored]
OPENINGS = sorted({marker.opening for marker in HH.table.unanchored})
LABELS = sorted({marker.label for marker in HH.table.markers})

ODD_MARKERS = [
    *(opening + label for opening in OPENINGS for label in LABELS),  # cut off before the colon
    *(f"{opening}{label} :" for opening in OPENINGS for label in LABELS),  # a space before it
    *(f"\n{label}:" for label in LABELS),  # a single newline before it
    *(f"\n\n{label[:3]}:" for label in LABELS),  # the first letters only
    *(f"\n\n{label.upper()}:" for label in LABELS),
    *(f"\n\n{label[1:]}:" for label in LABELS),  # one letter missing
    *(f"\r\n\n{label}:" for label in LABELS),  # line ends of two kinds
    "\n\nHuman",
    ":",
]
"""What is nearly a marker."""

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Every `str` there is, lone surrogates included."""

WORDS = st.sampled_from(["Hi", " ", "\n", "\n\n", "\r", "\r\n", "é", "日本", "\u2028", "\x85", "\x00", "\ud83d", "x y"])

CONTENT = st.one_of(st.lists(WORDS, max_size=5).map("".join), st.text(max_size=20))
"""What may stand in a turn: seldom a marker, often white space at its ends."""

PIECES = st.one_of(
    st.sampled_from(MARKERS),
    st.sampled_from(MARKERS),
    st.sampled_from(ODD_MARKERS),
    CONTENT,
    st.just(" Yes.") | st.just(""),
)

PIECED_TEXT = st.lists(PIECES, max_size=12).map("".join)
"""Markers, near markers and contents in any order: the texts in which readers can differ."""

REGULAR_TEXT = st.lists(st.tuples(st.sampled_from(UNANCHORED), CONTENT), min_size=2, max_size=8).map(
    lambda turns: "".join(marker + content for marker, content in turns)
)
"""Texts that are turns from start to end, of any speakers."""

GRAMMAR_TEXT = from_lark(HH.lark, start="transcript")
"""Texts drawn from the shipped grammar file itself."""

TEXT = st.one_of(REGULAR_TEXT, REGULAR_TEXT, REGULAR_TEXT, PIECED_TEXT, PIECED_TEXT, GRAMMAR_TEXT, ANY_TEXT)
"""What a transcript may be: mostly of several turns, and now and then anything at all."""


@st.composite
def text_pairs(draw: st.DrawFn) -> tuple[str, str]:
    r"""Draw two texts that begin alike, cut at any character, such as ``("\n\nHuman: Hi", "\n\nHuman: Ho")``."""
    text = draw(TEXT)
    cut = draw(st.one_of(st.integers(0, len(text)), st.integers(0, min(len(text), 30))))
    tail = draw(st.one_of(REGULAR_TEXT, PIECED_TEXT, st.just(""), TEXT))
    return text, text[: len(text) - cut] + tail


@st.composite
def message_lists(draw: st.DrawFn, *, stripped: bool = True) -> list[Message]:
    """Draw chat messages, such as ``[{"role": "user", "content": "Hi"}]``; some of them cannot be rendered."""
    roles = st.sampled_from(["user", "assistant", "user", "assistant", "system"])
    contents = st.one_of(CONTENT, CONTENT, PIECED_TEXT)
    messages: list[Message] = []
    for role, content in draw(st.lists(st.tuples(roles, contents), max_size=5)):
        messages.append({"role": role, "content": content.strip() if stripped else content})  # type: ignore[typeddict-item]  # sampled
    return messages


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
"""Anything that a JSON row may hold. NaN and infinity are left out: they are not JSON."""
