"""The hypothesis strategies of all tests. Labels and markers come from the grammar, as they do in the package."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
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

ANNOUNCEMENTS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
"""What at the start of a file announces something else than lines of text: gzip, zstd, a byte order mark, tables."""

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

REGULAR_TEXT = st.builds(
    lambda preamble, turns: preamble + "".join(marker + content for marker, content in turns),
    st.sampled_from(["", "", "", "Be brief.", " \n"]),
    st.lists(st.tuples(st.sampled_from(UNANCHORED), CONTENT), min_size=2, max_size=8),
)
"""Texts that are turns from start to end, of any speakers; a few have a preamble."""

GRAMMAR_TEXT = from_lark(HH.lark, start="transcript")
"""Texts drawn from the shipped grammar file itself."""

TEXT = st.one_of(REGULAR_TEXT, REGULAR_TEXT, REGULAR_TEXT, PIECED_TEXT, PIECED_TEXT, GRAMMAR_TEXT, ANY_TEXT)
"""What a transcript may be: mostly of several turns, and now and then anything at all."""


@st.composite
def text_pairs(draw: st.DrawFn, dialect: Dialect = HH, texts: st.SearchStrategy[str] = TEXT) -> tuple[str, str]:
    r"""Draw two texts that begin alike, such as ``("\n\nHuman: Hi", "\n\nHuman: Ho")``.

    The second is the first up to somewhere, often within a few characters of a turn's start, where a reader that
    reads the common part once can go wrong; then comes a piece of a marker, a whole one, or another text.
    """
    text = draw(texts)
    markers = st.sampled_from([marker.literal for marker in dialect.table.markers])
    starts = [turn.start for turn in dialect.read(text).turns] or [len(text)]
    near = st.tuples(st.sampled_from(starts), st.integers(-3, 3)).map(lambda at: min(max(0, sum(at)), len(text)))
    cut = draw(st.one_of(near, near, st.integers(0, len(text))))
    piece = draw(st.one_of(st.just(""), markers.flatmap(lambda m: st.integers(0, len(m)).map(lambda at: m[at:]))))
    tail = draw(st.one_of(texts, markers, st.just("")))
    # A turn in another's name, all else equal, is the smallest difference there is.
    rest = draw(st.sampled_from(["", text[cut + len(piece) :], text[cut:]]))
    return text, text[:cut] + piece + (rest or tail)


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

ANSWERS = st.one_of(
    st.sampled_from(
        ["Yes.", "No.", "日本", "“Quoted”", "a\n\nb", "say Human: now", "Human", "x\u00a0", "ok\r\n", "Hum"]
    ),
    # What takes all of its sense from the white space before it.
    st.sampled_from([marker.labelled for marker in HH.table.unanchored]).map(lambda label: f"{label} x"),
    st.sampled_from(sorted({marker.head for marker in HH.table.unanchored})).map(lambda head: f"x{head}"),
    st.sampled_from(LABELS),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
"""What a turn may say, in UTF-8."""


@st.composite
def regular_pairs(draw: st.DrawFn, dialect: Dialect = HH) -> tuple[str, str]:
    """Draw two texts of which most are regular: turns in turn, a common start, another last answer."""
    written = {str(role): marker for role, marker in dialect.table.canonical.items()}
    exchanges = draw(st.lists(st.tuples(ANSWERS, ANSWERS), min_size=1, max_size=3))
    space = st.sampled_from([" ", " ", " ", " ", "", "  ", "\n", " \u2003", "\n\n", "\n\n"])
    text = "".join(
        written[role] + draw(space) + content
        for exchange in exchanges
        for role, content in zip(("user", "assistant"), exchange, strict=True)
    )
    cut = text.rindex(written["assistant"]) + len(written["assistant"])
    return text, text[:cut] + draw(space) + draw(ANSWERS)


@st.composite
def parted_pairs(draw: st.DrawFn, dialect: Dialect = HH) -> tuple[str, str]:
    """Draw two texts that share some turns and then part in any way: into one turn each, or several, or none at all.

    Speakers may repeat themselves or be silent, and either side may end in a marker that was cut off.
    """
    markers = [marker.literal for marker in dialect.table.unanchored]
    speakers = st.sampled_from([*dialect.table.canonical.values()] * 3 + markers)
    contents = st.one_of(st.sampled_from(["a", "b", "a ", "\na"]), st.sampled_from(["", " "]), ANSWERS)
    turns = st.lists(st.tuples(speakers, st.sampled_from(["", " ", " ", "\n\n"]), contents).map("".join), max_size=3)
    ends = st.sampled_from(["", "", "", "", "", *(marker.head for marker in dialect.table.unanchored), "\n\nHum"])
    text = "".join(draw(turns))
    tails = draw(st.tuples(turns, turns) | turns.map(lambda tail: (tail, tail)))
    chosen, rejected = ("".join(tail) + draw(ends) for tail in tails)
    how = draw(st.sampled_from(["part", "part", "part", "extend", "differ in space", "differ in a speaker"]))
    if how == "extend":
        rejected = chosen + rejected
    if how == "differ in a speaker":
        rejected = chosen.replace(*draw(st.tuples(speakers, speakers)), 1)
    # The same contents with other white space around them are still shared.
    other = text.replace(":", ": ") if how == "differ in space" else text
    sides = text + chosen, other + rejected
    return sides if draw(st.booleans()) else sides[::-1]


def in_utf8(texts: tuple[str, ...]) -> bool:
    """Tell whether *texts* can be written in UTF-8, as every file and Arrow column has them."""
    return not any("\ud800" <= char <= "\udfff" for text in texts for char in text)


PAIR_ROWS = st.lists(st.one_of(regular_pairs(), regular_pairs(), text_pairs().filter(in_utf8)), max_size=8)
"""Rows of a column: mostly regular, and now and then odd."""

ODD_ROWS = st.lists(st.one_of(parted_pairs(), parted_pairs(), parted_pairs(), regular_pairs()), max_size=8)
"""Rows of a column: mostly odd."""

ESCAPED_TEXT = st.lists(
    st.one_of(
        st.sampled_from([*map(chr, range(0x20)), '"', "\\", '\\"', "\\u0000", "\x7f", "\x80", " ", "!", "#", "/", "]"]),
        st.sampled_from(
            ["a", "é", "日本", "\u2028", "\U0001f600", "\U0010ffff", '"}]', '"},{"role":"user","content":"']
        ),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    ),
    max_size=8,
).map("".join)
"""What JSON escapes, what stands next to it, what looks like JSON, and now and then anything that UTF-8 has."""

SPEAKERS = st.one_of(
    st.sampled_from(["user", "assistant"]), st.sampled_from(["user", "assistant", "system"]), ESCAPED_TEXT
)
"""The roles of messages: mostly the usual ones."""

COLUMN_TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.string(), ESCAPED_TEXT),
    (pa.large_string(), st.sampled_from(["train.jsonl", 'a"b'])),
    (pa.string_view(), ESCAPED_TEXT),
    (pa.dictionary(pa.int32(), pa.string()), ESCAPED_TEXT),
    (pa.int64(), st.integers(-(1 << 63), (1 << 63) - 1)),
    (pa.uint64(), st.integers(0, (1 << 64) - 1)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.float64(), st.floats()),
    (pa.float32(), st.floats(width=32)),
    (pa.bool_(), st.booleans()),
    (pa.null(), st.none()),
    (pa.date32(), st.dates()),
    (pa.list_(pa.string()), st.lists(st.none() | ESCAPED_TEXT, max_size=3)),
    (
        pa.struct([("role", pa.string()), ("content", pa.string())]),
        st.builds(dict, role=SPEAKERS, content=ESCAPED_TEXT),
    ),
    (
        pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())])),
        st.lists(st.builds(dict, content=ESCAPED_TEXT, role=SPEAKERS), max_size=2),
    ),
]
"""Types of columns that are not messages, though some are like them, and their values."""


@st.composite
def message_columns(draw: st.DrawFn, rows: int) -> Any:
    """Draw an array of lists of messages, such as ``[[{"role": "user", "content": "Hi"}], None, []]``, of any layout.

    Its lists may not begin at the first message, there may be messages below a null, and, seldom, a null in a list.
    """
    lists = draw(
        st.lists(st.lists(st.tuples(SPEAKERS, ESCAPED_TEXT), max_size=3), min_size=rows + 2, max_size=rows + 2)
    )
    parts: list[list[str | None]] = [[message[part] for one in lists for message in one] for part in (0, 1)]
    if parts[0] and draw(st.integers(0, 7)) == 0:
        draw(st.sampled_from(parts))[draw(st.integers(0, len(parts[0]) - 1))] = None
    strings = st.sampled_from([pa.string(), pa.string(), pa.large_string()])
    messages = pa.StructArray.from_arrays([pa.array(part, draw(strings)) for part in parts], ["role", "content"])
    ends = [0, *accumulate(map(len, lists))]
    nulls = draw(st.lists(st.booleans(), min_size=len(lists), max_size=len(lists))) if draw(st.booleans()) else None
    made, width = draw(st.sampled_from([(pa.ListArray, pa.int32())] * 3 + [(pa.LargeListArray, pa.int64())]))
    # The first list, and the last, are cut off: what is left begins somewhere in all of its buffers.
    mask = None if nulls is None else pa.array(nulls)
    return made.from_arrays(pa.array(ends, width), messages, mask=mask).slice(1, rows)


@st.composite
def other_columns(draw: st.DrawFn, rows: int, kind: Any, values: st.SearchStrategy[Any]) -> Any:
    """Draw an array of type *kind*, such as ``[1, None, 3]``, a slice of a longer one."""
    drawn = draw(st.lists(st.none() | values, min_size=rows + 2, max_size=rows + 2))
    array = pa.array(drawn, pa.string()).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(drawn, kind)
    return array.slice(1, rows)


@st.composite
def record_batches(draw: st.DrawFn) -> Any:
    """Draw a record batch: columns of messages, mostly, and others, in any order, of any names, or none at all."""
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(["prompt", "chosen"]) | ESCAPED_TEXT, unique=True, max_size=4))
    others = st.sampled_from(COLUMN_TYPES).flatmap(lambda typed: other_columns(rows, *typed))
    columns = [draw(message_columns(rows) | message_columns(rows) | others) for _ in names]
    return pa.RecordBatch.from_arrays(columns, names=names)
