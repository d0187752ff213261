"""Dialects: the grammar is the only definition, and any grammar will do."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from strategies import ANY_TEXT, CONTENT, DIALECTS, HH, LABELS, PIECED_TEXT, text_pairs
from turnparse import Dialect, DialectError

FLAT = ["user_bot", "hashes", "nested"]
LOADED = {path.stem: Dialect.from_file(path) for path in DIALECTS.glob("*.lark")}


def texts_of(dialect: Dialect) -> st.SearchStrategy[str]:
    """Draw texts made of the dialect's markers, pieces of them, and anything else."""
    markers = [marker.literal for marker in dialect.table.markers]
    pieces = st.one_of(
        st.sampled_from(markers),
        st.sampled_from(markers).flatmap(lambda m: st.integers(0, len(m)).map(lambda cut: m[:cut])),
        CONTENT,
    )
    whole = st.lists(st.tuples(st.sampled_from(markers), CONTENT).map("".join), min_size=2, max_size=6).map("".join)
    return st.one_of(whole, st.lists(pieces, max_size=10).map("".join), ANY_TEXT)


@pytest.mark.parametrize("name", FLAT)
@given(data=st.data())
def test_flat_dialects_scan_as_lark_reads(name: str, data: st.DataObject) -> None:
    """A flat grammar of a user's own is scanned, and the scan finds what Lark finds."""
    dialect = LOADED[name]
    text = data.draw(texts_of(dialect))

    assert dialect.flat
    assert dialect.read(text, "all") == dialect.read_tree(text, "all")
    assert str(dialect.read(text)) == text


@pytest.mark.parametrize("name", FLAT)
@given(data=st.data())
def test_flat_dialects_share_prefixes_safely(name: str, data: st.DataObject) -> None:
    """Reading a pair with its prefix shared changes nothing, even where markers stand inside one another."""
    dialect = LOADED[name]
    left, right = data.draw(text_pairs(dialect, texts_of(dialect)))

    pair = dialect.read_pair(left, right)
    assert pair.chosen_transcript == dialect.read_tree(left)
    assert pair.rejected_transcript == dialect.read_tree(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("\nQ: x\nQ:\nA: y", "\nQ: x\nQ:\nA:\ny"),  # the second marker goes on where the sides part
        ("\n\nA:Q: x\nA: y", "\n\nA:Q: x\nA: z"),  # what opens the text looks like a marker
        ("\nQ: x\nA: y", "\nQ: x\nA:: y"),
    ],
)
def test_markers_inside_markers(left: str, right: str) -> None:
    """Where one marker can stand inside another, pairs are read without short cuts."""
    dialect = LOADED["nested"]
    pair = dialect.read_pair(left, right)

    assert not dialect.table.separable
    assert pair.chosen_transcript == dialect.read_tree(left)
    assert pair.rejected_transcript == dialect.read_tree(right)


@given(PIECED_TEXT)
def test_endless_markers_fall_back_to_lark(text: str) -> None:
    """A grammar with endless markers is read by Lark, and loses nothing."""
    dialect = LOADED["numbered"]

    assert not dialect.flat
    assert str(dialect.read(text)) == text


def test_endless_markers_have_roles_and_labels() -> None:
    """Lark's reader gives each turn the role and label of its own marker."""
    transcript = turnparse.parse("\n\n\nHuman 1: Hi\n\nAssistant 22: Ho", dialect=LOADED["numbered"])

    assert [(t.role, t.speaker, t.marker, t.content) for t in transcript.turns] == [
        ("user", "Human", "\n\n\nHuman 1:", "Hi"),
        ("assistant", "Assistant", "\n\nAssistant 22:", "Ho"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MARKER", "MK"),
        ("MARKER", "_MARKER"),
        (' ":"', " /:(?= )/"),
        ('"\\n\\n" | "\\r\\n\\r\\n"', r"/(?<=[.?])\n\n/"),
        ("turn: MARKER TEXT*", "turn: MARKER TEXT* turn*"),
    ],
)
def test_any_legal_grammar_is_read(old: str, new: str) -> None:
    """Other names, markers that look around, and turns inside turns are Lark's to read, and read alike."""
    text = "\n\nHuman: Hi?\n\nAssistant: Ho."
    dialect = Dialect.from_text(HH.grammar.replace(old, new))
    transcript = dialect.read("." + text if "<=" in new else text)

    assert old in HH.grammar
    assert not dialect.flat
    assert [(turn.role, turn.speaker, turn.content) for turn in transcript.turns] == [
        ("user", "Human", "Hi?"),
        ("assistant", "Assistant", "Ho."),
    ]


def test_other_shapes_have_diagnostics() -> None:
    """Of a grammar that is not flat, a text's own markers tell what is odd about it."""
    grammar = HH.grammar.replace("transcript: preamble? turn*", "transcript: preamble? (turn turn?)*")
    dialect = Dialect.from_text(grammar)
    text = "\n\nHuman: x\n\nAssistant: y Human:\n\nHuman"

    assert not dialect.flat
    assert [found.code for found in dialect.read(text, "all").diagnostics] == ["label-inside", "cut-off-marker"]


def test_other_shapes_fall_back_to_lark() -> None:
    """A grammar of another shape is read by Lark: roles from its labels, contents from its TEXT."""
    text = "<|im_start|>user\nHi < you!<|im_end|>\n<|im_start|>assistant\n\nHello.<|im_end|>"
    transcript = turnparse.parse(text, dialect=LOADED["chatml"])

    assert not LOADED["chatml"].flat
    assert transcript.messages() == [
        {"role": "user", "content": "Hi < you!"},
        {"role": "assistant", "content": "Hello."},
    ]
    assert str(transcript) == text
    assert [str(turn) for turn in transcript.turns] == [text[turn.start : turn.end] for turn in transcript.turns]


@given(ANY_TEXT)
def test_text_outside_the_language_is_a_diagnostic(text: str) -> None:
    """A text that a user's grammar refuses is kept whole, with a diagnostic where it went wrong."""
    dialect = LOADED["chatml"]
    transcript = dialect.read(text)

    assert str(transcript) == text
    if text:
        (found,) = transcript.diagnostics
        assert found.code == "not-in-dialect"
        assert 0 <= found.start <= found.end == len(text)
        with pytest.raises(turnparse.ParseError):
            turnparse.parse_tree(text, dialect=dialect)


def test_renamed_labels_are_followed_by_every_reader() -> None:
    """A label renamed in the grammar's text only is what every reader, diagnostic and rendering then knows."""
    renamed = Dialect.from_text(HH.grammar.replace('"Human"', '"Person"').replace('"Assistant"', '"Machine"'))
    text = "\n\nPerson: Hi\n\nHuman: no marker now\n\nMachine: Persn: Ho\nPersn: x\n\nPerson"

    scanned, tree = renamed.read(text, "all"), renamed.read_tree(text, "all")
    assert scanned == tree
    assert [(turn.role, turn.speaker) for turn in scanned.turns] == [("user", "Person"), ("assistant", "Machine")]
    assert [found.code for found in scanned.diagnostics] == ["near-miss-label", "cut-off-marker"]
    messages = [turnparse.Message(role="user", content="Hi"), turnparse.Message(role="assistant", content="Ho")]
    assert turnparse.render(messages, dialect=renamed) == "\n\nPerson: Hi\n\nMachine: Ho"


def test_no_label_or_marker_in_the_code() -> None:
    """No Python string of the package is a label or a marker: they live in the grammar alone."""
    package = Path(turnparse.__file__).parent
    sources = sorted(package.rglob("*.py"))
    assert sources
    for path in sources:
        code = re.sub(r'r?"""(?s:.*?)"""|#.*', "", path.read_text(encoding="utf-8"))
        strings = re.findall(r'"((?:[^"\\]|\\.)*)"', code)
        # Sentences for people may name a speaker; what a reader compares with would be the bare word.
        bare = [s for s in strings if any(re.fullmatch(rf"(\\[nr])*{label}:?\s*", s) for label in LABELS)]
        assert bare == [], path.name


def test_named_dialects() -> None:
    """Shipped dialects have names; an unknown name is an error that lists them."""
    assert Dialect.named("hh") is Dialect.named()
    with pytest.raises(DialectError, match="hh"):
        Dialect.named("nonesuch")


def test_dialect_argument_takes_a_name_a_file_or_a_dialect() -> None:
    """Every call takes a dialect as an object, a name or a file."""
    path = DIALECTS / "user_bot.lark"
    text = "User: Hi\nBot: Ho"

    by_file = turnparse.parse(text, dialect=str(path))
    assert by_file == turnparse.parse(text, dialect=Dialect.from_file(path))
    assert [m["role"] for m in by_file.messages()] == ["user", "assistant"]
    assert turnparse.parse(text, dialect="hh").turns == ()


@pytest.mark.parametrize(
    ("grammar", "found"),
    [
        ("", "transcript"),
        ("transcript: (", "Lark grammar"),
        ('transcript: "x"', "turn"),
        ('transcript: turn*\nturn: "x"', "USER"),
        ('start: "x"', "transcript"),
        ("transcript: turn\nturn: /(/", "Lark grammar"),
        (HH.grammar + "\n%ignore /x+/", "%ignore"),
        (HH.grammar.replace("turn: MARKER TEXT*", "turn: MARKER TEXT* -> other"), "alias"),
        (HH.grammar.replace("TEXT", "CHUNK"), "TEXT"),
        (HH.grammar.replace('"Assistant"', '"Human"'), "labels of its own"),
        ('transcript: turn*\nturn: "x" TEXT\nTEXT: /y/\nUSER: "z"', "where it stands"),
    ],
)
def test_unusable_grammars(grammar: str, found: str) -> None:
    """A grammar that cannot serve says what it lacks."""
    with pytest.raises(DialectError, match=re.escape(found)):
        Dialect.from_text(grammar)


def test_missing_grammar_file(tmp_path: Path) -> None:
    """A grammar file that is not there, or not text, is an error that names it."""
    with pytest.raises(DialectError, match=r"none\.lark"):
        Dialect.from_file(tmp_path / "none.lark")
    (tmp_path / "bytes.lark").write_bytes(b"\xff")
    with pytest.raises(DialectError, match=r"bytes\.lark"):
        Dialect.from_file(tmp_path / "bytes.lark")


def test_dialects_pickle() -> None:
    """A dialect survives pickling and reads as before."""
    again: Dialect = pickle.loads(pickle.dumps(LOADED["hashes"]))  # noqa: S301  # our own bytes

    text = "### Human: Hi ### Assistant: Ho"
    assert again.read(text) == LOADED["hashes"].read(text)
    assert again.flat


def test_canonical_markers() -> None:
    """What is written for a role is its shortest marker that may stand anywhere."""
    assert HH.table.canonical == {"user": "\n\nHuman:", "assistant": "\n\nAssistant:"}
    assert LOADED["user_bot"].table.canonical["system"] == "\nSetup:"
