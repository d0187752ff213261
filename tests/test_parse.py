"""Parsing: nothing is lost, the readers agree, and a pair is its shared turns and two tails."""

from __future__ import annotations

import doctest
import pickle
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnparse
from strategies import GRAMMAR_TEXT, HH, PIECED_TEXT, TEXT, text_pairs
from turnparse import Pair, Transcript, Turn


def check_tiling(transcript: Transcript, text: str) -> None:
    """Assert that preamble and turns cover *text* without a gap or an overlap."""
    at = len(transcript.preamble)
    assert transcript.preamble == text[:at]
    for turn in transcript.turns:
        assert turn.start == at
        assert str(turn) == text[turn.start : turn.end] == turn.marker + turn.text
        assert turn.content == turn.text.strip()
        at = turn.end
    assert at == len(text)


@given(TEXT)
@example("")
@example("\ud800")
@example("Human:")
@example("\n\nHuman:\n\nAssistant:\n\nHuman")
def test_round_trip(text: str) -> None:
    """A parsed text is given back exactly, whatever it is, and its turns tile it."""
    transcript = turnparse.parse(text)

    assert str(transcript) == text
    check_tiling(transcript, text)


@given(TEXT)
def test_readers_agree(text: str) -> None:
    """The scan reader and Lark find the same turns in every text, and the same things odd."""
    scanned, tree = HH.read(text, "all"), HH.read_tree(text, "all")

    assert scanned == tree
    assert scanned.diagnostics == tree.diagnostics


@given(GRAMMAR_TEXT)
def test_grammar_text_parses(text: str) -> None:
    """Every text drawn from the grammar file parses to the same turns by both readers."""
    assert HH.read(text) == HH.read_tree(text)


@given(TEXT)
def test_tree_positions(text: str) -> None:
    """Each turn of Lark's own tree has the span of the turn."""
    tree = turnparse.parse_tree(text)

    spans = [(node.meta.start_pos, node.meta.end_pos) for node in tree.find_data("turn")]
    assert sorted(spans) == [(turn.start, turn.end) for turn in turnparse.parse(text).turns]
    assert tree.data == "transcript"


@given(text_pairs())
@example(("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q"))
@example(("\n\nHuman: q", "\n\nHuman: q\n\nAssistant: a"))
@example(("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: a"))
@example(("\n\nHuman: q\n\n\nAssistant: a", "\n\nHuman: q\n\nHuman: b"))
@example(("\n\nHuman: q\n\nAssistant: a", "\n\nAssistant: q\n\nAssistant: a"))
@example(("s\n\nHuman: q\n\nAssistant: a", "s\n\nHuman: q\n\nAssistant: b"))
@example(("", ""))
def test_pair_rebuilds_both_sides(texts: tuple[str, str]) -> None:
    """Shared turns and a tail are each side's messages; the shared run is the longest that spares both last turns."""
    pair = turnparse.parse_pair(*texts)
    sides = [turnparse.parse(text) for text in texts]

    assert [pair.chosen_transcript, pair.rejected_transcript] == sides
    for side, tail in zip(sides, (pair.chosen, pair.rejected), strict=True):
        assert [turn.message() for turn in pair.shared + tail] == side.messages()
        assert bool(tail) == bool(side.messages())
        check_tiling(side, str(side))
    shared = 0
    left, right = (side.messages() for side in sides)
    if left[:1] == right[:1] or "system" not in {m["role"] for m in left[:1] + right[:1]}:
        while shared < min(len(left), len(right)) - 1 and left[shared] == right[shared]:
            shared += 1
    assert len(pair.shared) == shared
    assert pair.shared == sides[0].message_turns[:shared]


@given(text_pairs())
def test_pair_agrees_with_single_texts(texts: tuple[str, str]) -> None:
    """A pair read with its prefix shared has the very spans of its sides read alone."""
    pair = turnparse.parse_pair(*texts)

    assert [str(pair.chosen_transcript), str(pair.rejected_transcript)] == list(texts)
    assert pair.rejected_transcript.turns == turnparse.parse(texts[1]).turns


@pytest.mark.parametrize(
    ("chosen", "rejected", "relation"),
    [
        ("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: b", "last-turn"),
        ("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant:  a ", "identical"),
        ("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q", "extends"),
        ("\n\nHuman: q", "\n\nHuman: q\n\nAssistant: a\n\nHuman: r", "extends"),
        ("", "\n\nHuman: q", "empty"),
        (" \n", "", "empty"),
        ("\n\nHuman: q\n\nAssistant: a\n\nHuman: r", "\n\nHuman: q\n\nAssistant: b", "uneven"),
        ("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: p\n\nAssistant: a", "earlier"),
        ("be kind\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: a", "uneven"),
        ("be kind\n\nHuman: q", "be rude\n\nHuman: q", "earlier"),
        ("be kind", "be kind", "identical"),
    ],
)
def test_relations(chosen: str, rejected: str, relation: str) -> None:
    """Each relation is the first of its table that fits."""
    assert turnparse.parse_pair(chosen, rejected).relation == relation


@given(text_pairs())
def test_relation_by_definition(texts: tuple[str, str]) -> None:
    """The relation is what its definition says, computed from the messages alone."""
    pair = turnparse.parse_pair(*texts)
    left, right = (turnparse.parse(text).messages() for text in texts)

    short, long = sorted((left, right), key=len)
    expected = "earlier"
    if not short:
        expected = "empty"
    elif left == right:
        expected = "identical"
    elif long[: len(short)] == short:
        expected = "extends"
    elif len(pair.chosen) == len(pair.rejected) == 1:
        expected = "last-turn"
    elif len(pair.chosen) != len(pair.rejected):
        expected = "uneven"
    assert pair.relation == expected


def test_preamble_is_a_system_turn_of_a_pair() -> None:
    """A preamble leads the messages and the shared turns, as a system turn without a speaker."""
    pair = turnparse.parse_pair("Be brief.\n\nHuman: q\n\nAssistant: a", "Be brief.\n\nHuman: q\n\nAssistant: b")

    first = pair.shared[0]
    assert (first.role, first.speaker, first.content, first.start, first.end) == ("system", None, "Be brief.", 0, 9)
    assert [turn.role for turn in pair.shared] == ["system", "user"]
    assert [turn.role for turn in pair.chosen_transcript.turns] == ["user", "assistant"]


def test_different_preambles_share_nothing() -> None:
    """Sides with different preambles share no turn, even where all their turns are equal."""
    pair = turnparse.parse_pair("a\n\nHuman: q\n\nAssistant: a", "b\n\nHuman: q\n\nAssistant: a")

    assert pair.shared == ()
    assert [found.code for found in pair.pair_diagnostics] == ["different-preambles", "earlier"]


def test_tree_of_a_pair() -> None:
    """A pair as a tree has the shared turns for its trunk and one branch a side."""
    pair = turnparse.parse_pair("\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: b")

    tree = pair.tree()
    assert tree.turns == pair.shared
    assert [branch.name for branch in tree.branches] == ["chosen", "rejected"]
    assert list(tree.paths()) == [pair.shared + pair.chosen, pair.shared + pair.rejected]


@given(text_pairs())
def test_pickle(texts: tuple[str, str]) -> None:
    """Pairs survive pickling, their diagnostics included."""
    pair = turnparse.parse_pair(*texts)

    again: Pair = pickle.loads(pickle.dumps(pair))  # noqa: S301  # our own bytes
    assert again == pair
    assert again.diagnostics == pair.diagnostics


def test_frozen_and_slotted() -> None:
    """Nothing can be set on a turn or a transcript, whichever way they were made."""
    transcript = turnparse.parse("\n\nHuman: Hi")
    turn = transcript.turns[0]

    for thing, name in ((turn, "text"), (turn, "other"), (transcript, "preamble"), (transcript, "other")):
        with pytest.raises(AttributeError):
            setattr(thing, name, "x")
    assert not hasattr(turn, "__dict__")
    assert turn == Turn(turn.mark, " Hi", 0)
    assert hash(turn) == hash(Turn(turn.mark, " Hi", 0))


@given(st.integers(0, 30), PIECED_TEXT)
def test_markers_only_at_paragraph_starts(at: int, text: str) -> None:
    """A label after anything but a paragraph break or the start is content."""
    label = HH.table.markers[0].labelled
    inside = text[:at] + "x" + label + text[at:]

    starts = {turn.start + len(turn.marker) for turn in turnparse.parse(inside).turns}
    assert min(at, len(text)) + 1 + len(label) not in starts


def test_import_is_light() -> None:
    """Importing the package loads no Arrow, no terminal library and nothing that speaks to a network."""
    code = (
        "import sys, turnparse; "
        "heavy = {'pyarrow', 'numpy', 'orjson', 'isal', 'rich', 'click', 'lark', 'cattrs', 'socket', 'ssl', 'http', 'urllib.request'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_a_call_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a dialect has been used, the per-row calls look at no file: they are made millions of times."""
    turnparse.parse_pair("", "")
    monkeypatch.setattr(turnparse._dialect, "_grammars", None)  # noqa: SLF001  # the one way to the files

    assert turnparse.parse("\n\nHuman: Hi").messages() == [{"role": "user", "content": "Hi"}]
    assert turnparse.parse_pair("", "").relation == "empty"


def test_docstring_of_the_package() -> None:
    """The example in the package's docstring runs."""
    assert doctest.testmod(turnparse).failed == 0
    assert doctest.testmod(turnparse).attempted > 0


def test_all_is_sorted_and_complete() -> None:
    """`__all__` is sorted as ruff sorts it, and each name is there and documented."""
    names = turnparse.__all__

    assert len(names) == len(set(names))
    for name in names:
        assert getattr(turnparse, name) is not None
        assert name in {"__version__", "CODES"} or getattr(turnparse, name).__doc__
