"""The hypothesis strategies of all tests. Labels and markers come from the grammar, as they do in the package."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark

from turnparse import Dialect, Message
from turnparse._control_tokens import BREAK, TOKENS

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

ANNOUNCEMENTS = (
    *(b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"),
    *(b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"{\0", b"[\0", b"\0{", b"\0["),
)
"""What at the start of a file announces something else than lines of text: gzip, zstd, byte order marks, tables, UTF-16."""

NULS_AND_SPACES = b"\0\t\n\v\f\r "
"""What may come before UTF-16 and UTF-32 that are announced by no mark: blank lines."""

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


TOKEN_PIECES = st.one_of(
    st.sampled_from(TOKENS),
    st.sampled_from(TOKENS),
    st.tuples(st.sampled_from(TOKENS), st.integers(0, 6), st.integers(1, 9)).map(lambda cut: cut[0][cut[1] : -cut[2]]),
    st.sampled_from(
        ["<", "<|", "|>", ">", "[", "]", "/", "s>", "<s", "<p>", "<\uff5c", "\uff5c>", "\uff5c", BREAK, "a", " ", "é"]
    ),
)
"""Control tokens, pieces of them, and what stands between."""

TOKEN_TEXT = st.lists(TOKEN_PIECES, max_size=6).map("".join)
"""Texts that hold control tokens, or nearly."""


@st.composite
def token_pairs(draw: st.DrawFn) -> tuple[str, str]:
    r"""Draw two texts of any kind, such as ``("\n\nHuman: <s>Hi", "\n\nHuman: <s>Ho")``: many hold control tokens.

    What they hold may be the same on both sides, or stand on one of them only, and anywhere.
    """
    sides = list(draw(st.one_of(regular_pairs(), regular_pairs(), parted_pairs(), text_pairs().filter(in_utf8))))
    for _ in range(draw(st.integers(0, 2))):
        piece, at = draw(TOKEN_TEXT), draw(st.integers(-20, 60))
        for index in draw(st.sampled_from([(0, 1), (0, 1), (0,), (1,)])):
            place = at % (len(sides[index]) + 1)
            sides[index] = sides[index][:place] + piece + sides[index][place:]
    return sides[0], sides[1]


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


# Files: lines of JSON as they come, sound and otherwise.

METADATA_VALUES = {
    "min_harmlessness_score_transcript": ["-1.5", "0", "null"],
    "num_params": ['"52B"', '""', "null"],
    "model_type": ['"rlhf"', '"\\u0063ontext"', "null"],
    "rating": ["4", "2.5", "1e0", "null"],
    "task_description": ['"Ask \\"why\\""', '"日本"', "null"],
    "task_description_harmlessness_score": ["0.25", "null"],
    "task_descripton_harmlessness_score": ["0.25", "null"],
    "red_team_member_id": ["7", "-9223372036854775808", "null"],
    "is_upworker": ["true", "false", "null"],
    "tags": ['["a", "b"]', "[]", "null"],
}
"""{key of a red-team row that is metadata: values of the right type, as JSON}."""

SOUND_VALUES = [
    b"null", b"true", b"1", b"1.5", b"1E-2", b"1e-400", b'""', b'"x"', b"[]", b"{}", b'["x"]', b"[null]", b"[[1], {}]", b'{"a": {"b": []}}',
    b'{"a":1,"a":2}', b'"\\u0000"', b'"\\/\\b\\ud83d\\ude00"', '"\u2028\x7f"'.encode(), b'"}\\n{"', b"9007199254740993",
    b'"' + b"[" * 901 + b'"', b"[" * 600 + b"]" * 600, b'{"a":' * 895 + b"1" + b"}" * 895,
]  # fmt: skip
"""Values that a row may have, as JSON; not all of them fit a column that is read."""

ODD_VALUES = [
    b"-0", b"-0.0", b"1e400", b"9223372036854775808", b"1234567890123456789012345", b"NaN", b"Infinity", b"-Infinity", b"nan", b"01", b"1.",
    b".5", b"+1", b"True", b"'x'", b"[1,]", b"[1 2]", b'{"a"}', b'{"a":}', b"/**/1", b"", b'"\\ud800"', b'"\\udc00\\ud83d"', b'{"\\ud800": 1}',
    b'"\\x"', b'"\\u12"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe6\x97"', b'"\x00"', b'"\x1f"', b"\x00", b'"a\nb"',
    b'"a\rb"', b"{}}", b"[]]", b'"\\', b"[" * 950 + b"]" * 950, b"[" * 1030 + b"]" * 1030, b'{"a":' * 1100 + b"1" + b"}" * 1100,
]  # fmt: skip
"""What stands in the place of a value and is out of bounds for someone: for JSON, for UTF-8, or for one of its readers."""

LINE_JUNK = [
    b"", b"", b" ", b"\t", b"\r", b"\x0b", "\u2028".encode(), "\x85".encode(), "\u3000 ".encode(), b"\x1c", b"null", b"{}", b"[]", b"[", b"]", b"{", b"}",
    b'"x"', b"\xef\xbb\xbf{}", b"\xff", b"\x00", b"# no", b'{"chosen": "only"}', b"{}{}", b"{} {}", b'{"text"', b'{"x":{}', b"}}",
]  # fmt: skip
"""Lines that are blank or no rows."""


@st.composite
def json_strings(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    r"""Draw a text as JSON, such as ``b'"\\u00e9"'``, with or without escapes."""
    text = draw(texts)
    if draw(st.integers(0, 9)) == 0:
        return b'"' + "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in text).encode() + b'"'
    return json.dumps(text, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def json_rows(draw: st.DrawFn, kind: str, names: tuple[str, str, str], *, odd: bool = False) -> bytes:
    """Draw a row of a *kind* as JSON, its columns in any order.

    Args:
        draw: hypothesis's.
        kind: ``pair``, ``red-team`` or ``transcript``.
        names: the columns chosen, rejected and transcript.
        odd: whether one column is missing, double, of another type, or out of bounds.
    """
    chosen, rejected, transcript = names
    texts = TEXT.filter(lambda text: in_utf8((text,)))
    items: list[tuple[str, bytes]]
    if kind == "pair":
        sides = draw(st.one_of(regular_pairs(), regular_pairs(), text_pairs().filter(in_utf8)))
        items = [
            (name, draw(json_strings(st.just(side)))) for name, side in zip((chosen, rejected), sides, strict=True)
        ]
    else:
        regular = regular_pairs().map(lambda sides: sides[0])
        name = transcript if kind == "red-team" else "text"
        items = [(name, draw(json_strings(regular | regular | texts)))]
    if kind == "red-team":
        keys = draw(st.lists(st.sampled_from(sorted(METADATA_VALUES)), unique=True, max_size=4))
        items += [(key, draw(st.sampled_from(METADATA_VALUES[key])).encode()) for key in keys]
    if draw(st.integers(0, 3)) == 0:
        extra = st.sampled_from(["x", "", "é", "chosen ", "prompt", "text", "transcript", "rating", "source", "x\x00"])
        items.append((draw(extra), draw(st.sampled_from(SOUND_VALUES))))
    change = draw(st.integers(0, 4)) if odd else 5
    if change == 0:
        items[draw(st.integers(0, len(items) - 1))] = ("x", b"1")
    elif change in {1, 2}:
        key = draw(st.sampled_from([name for name, _ in items] + ["x", *METADATA_VALUES]))
        others = [item for item in items if item[0] != key or change == 1]
        items = [*others, (key, draw(st.sampled_from(SOUND_VALUES) | st.sampled_from(ODD_VALUES)))]
    elif change in {3, 4}:
        items.append(("x", draw(st.sampled_from(ODD_VALUES))))
    comma, colon = draw(st.sampled_from([(b",", b":"), (b", ", b": "), (b" ,\t", b" :\r")]))
    written = [draw(json_strings(st.just(key))) + colon + value for key, value in draw(st.permutations(items))]
    return b"{" + comma.join(written) + b"}"


KINDS = ("pair", "red-team", "transcript")


@st.composite
def json_files(draw: st.DrawFn, names: tuple[str, str, str] = ("chosen", "rejected", "transcript")) -> bytes:
    """Draw what is in a file: rows, mostly of one kind and sound, as lines or as an array, and now and then anything else.

    Args:
        draw: hypothesis's.
        names: the columns chosen, rejected and transcript.
    """
    kinds = st.sampled_from(KINDS) if draw(st.integers(0, 4)) == 0 else st.just(draw(st.sampled_from(KINDS)))
    rows = draw(st.lists(kinds.flatmap(lambda kind: json_rows(kind, names)), min_size=1, max_size=5))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(rows) - 1))
        rows[at] = draw(kinds.flatmap(lambda kind: json_rows(kind, names, odd=True)))
    if draw(st.integers(0, 5)) == 0:
        between = draw(st.sampled_from([b",", b",\n", b"\n,\r\n ", b"\n"]))
        return b"[" + between.join(rows) + draw(st.sampled_from([b"]", b"\n]\n", b"]\n{}\n", b"", b","]))
    lines = list(rows)
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, len(lines) - 1))
        change = draw(st.integers(0, 5))
        if change == 0:
            lines.insert(at, draw(st.sampled_from(LINE_JUNK)))
        elif change == 1:
            lines[at] = draw(st.sampled_from([b" ", b"\t", b"\r", b"\xef\xbb\xbf", b","])) + lines[at]
        elif change == 2:
            lines[at] += draw(st.sampled_from([b" ", b"\t ", b"\r", b",", b"}", b"\x00", b"\x0c"]))
        elif change == 3:
            lines[at : at + 2] = [draw(st.sampled_from([b"", b" ", b","])).join(lines[at : at + 2])]
        elif change == 4:
            breaks = [index for index, byte in enumerate(lines[at]) if byte in b",:{}"]
            place = draw(st.sampled_from(breaks)) + draw(st.integers(0, 1))
            lines[at] = lines[at][:place] + b"\n" + lines[at][place:]
        else:
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
    ending = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"]))
    begin = draw(st.sampled_from([b""] * 12 + [b"\xef\xbb\xbf", b"[\n", b"\n \n"]))
    return begin + ending.join(lines) + draw(st.sampled_from([ending, ending, b"", b"\r"]))


JSON_COLUMNS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "{}", "null", "2020-01-01T00:00:00Z", "日本", "\x00"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "", "a.b"]), inner, max_size=3)
    ),
    max_leaves=6,
)
"""What may travel along: few values of each type, so that rows often agree and often do not."""


@st.composite
def kept_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw values of a column or two for some rows, such as ``[{"x": 1}, {"x": 2.5}, {}]``: most of them of a type."""
    alike = draw(st.sampled_from([st.integers(-3, 3) | st.floats(-2, 2), st.text(max_size=3), st.booleans(),
        st.lists(st.integers(0, 9) | st.floats(0, 1), max_size=3),
        st.fixed_dictionaries({}, optional={"a": st.integers(), "b": st.none() | st.text(max_size=2), "c": st.just([])}),
        JSON_COLUMNS]))  # fmt: skip
    values = st.one_of(alike, alike, alike, alike, alike, st.none(), JSON_COLUMNS)
    row = st.fixed_dictionaries({}, optional={"x": values, "y": alike})
    return draw(st.lists(row, min_size=1, max_size=6))


# What is shown in a terminal.

TERMINAL_PIECES = st.one_of(
    st.sampled_from(
        ["\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\x00", "\x08", "\r", "\t", "\x7f", "\x85", "\u2028", "\u00ad"]
    ),
    st.sampled_from(
        ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\ufe0f", "\u0301", "e\u0301\u0302", "\ud800", "\u00a0"]
    ),
    st.sampled_from(
        [
            "日本語",
            "\U0001f600",
            "\U0001f468\u200d\U0001f469",
            "\u3000",
            "\uff21",
            "\u05d0\u05d1",
            "\u0e01\u0e33",
            "\u1160",
        ]
    ),
    st.sampled_from(["a", "word ", " ", "\n", "[red]", "[/]", ":smile:", "{+", "+}", "│", "x" * 70, "日" * 40]),
    st.text(max_size=4),
)
"""What commands a terminal, turns its writing, takes no cell or two of them, or is markup for whoever prints it."""


@st.composite
def terminal_texts(draw: st.DrawFn) -> str:
    r"""Draw a transcript that is hard on terminals, such as ``"\n\nHuman: \x1b[2J"``."""
    pieces = st.lists(st.one_of(TERMINAL_PIECES, TERMINAL_PIECES, st.sampled_from(MARKERS)), max_size=12)
    return draw(st.sampled_from(["", *MARKERS])) + "".join(draw(pieces))


DIFFERING_WORDS = st.sampled_from(["a", "b", "the", "e\u0301", "日本", ".", ",", "-", "_"])
SPACES = st.sampled_from([" ", " ", " ", "", "\n", "  ", "\u2003"])


@st.composite
def differing_texts(draw: st.DrawFn) -> tuple[str, str]:
    """Draw two texts that are partly the same, such as ``("a b c", "a  d c")``."""
    words = st.lists(st.tuples(DIFFERING_WORDS, SPACES).map("".join), max_size=10).map("".join)
    one, other = draw(words | ANY_TEXT), draw(words | ANY_TEXT)
    shared = draw(words)
    how = draw(st.sampled_from(["apart", "begin", "end", "both", "inside"]))
    return {
        "apart": (one, other),
        "begin": (shared + one, shared + other),
        "end": (one + shared, other + shared),
        "both": (shared + one + shared, shared + other + shared),
        "inside": (shared, shared[: len(shared) // 2] + one + shared[len(shared) // 2 :]),
    }[how]


@st.composite
def advised_pairs(draw: st.DrawFn, dialect: Dialect) -> tuple[str, str]:
    r"""Draw two texts that are regular but for pieces of markers in them, such as ``"\n\nHuman: a\nhuman : b\n\nAssistant: c"``."""
    markers = dialect.table.markers
    pieces = st.one_of(
        st.sampled_from([marker.labelled for marker in markers]),
        st.sampled_from([marker.literal[at:] for marker in markers for at in range(1, len(marker.opening) + 2)]),
        st.sampled_from([f"{end}{marker.labelled.lower()}" for marker in markers for end in ("\n", "\r", "\r\n")]),
        st.sampled_from([f"\n{marker.label} \t{marker.literal[marker.label_end :]}" for marker in markers]),
        st.sampled_from([f"\n{marker.label[:3]}{marker.literal[marker.label_end :]}" for marker in markers]),
        st.sampled_from(["\n", "\r", ":", "\n\u2003", "\n\x0b", "<|im_end|>", "[INST]"]),
        TOKEN_TEXT,
    )
    sides = list(draw(regular_pairs(dialect)))
    for _ in range(draw(st.integers(0, 3))):
        piece, at = draw(pieces), draw(st.integers(0, 80))
        for index in draw(st.sampled_from([(0, 1), (0, 1), (0,), (1,)])):
            place = at % (len(sides[index]) + 1)
            sides[index] = sides[index][:place] + piece + sides[index][place:]
    return sides[0], sides[1]
