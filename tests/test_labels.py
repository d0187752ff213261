"""Other labels: a dialect made of another one's grammar, without a grammar being written."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import turnparse
from strategies import DIALECTS, HH, regular_pairs, text_pairs
from turnparse import ArgumentError, Dialect, Message, OptionError
from turnparse._cli import main
from turnparse._labels import UNWRITABLE

USER_BOT = HH.with_labels(user="User", assistant="Bot")

WORDS = st.one_of(
    st.sampled_from(
        ["User", "Bot", 'say "hi"', "a\\n", "x/i", "(?P<a>)", "日本", "AI Bot ", " Q", "é|è", "%ignore", "{}"]
    ),
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters=":"), min_size=1, max_size=12),
).filter(lambda word: bool(word.strip()) and UNWRITABLE not in word)
"""What may be a label of HH."""


def test_a_label_that_no_grammar_can_hold_is_refused() -> None:
    """Lark drops a backslash before a quote: such a label is refused rather than read as another."""
    with pytest.raises(OptionError, match="backslash before a quote"):
        HH.with_labels(user='Us\\"er')


@settings(deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=4, unique=True), st.data())
def test_every_reader_follows(words: list[str], data: st.DataObject) -> None:
    """Whatever the labels are made of, Lark, the scan and the columns read what they stand before, and alike."""
    assume(not set(words) & {"Human", "Assistant"})
    dialect = HH.with_labels(user=words[:1], assistant=words[1:])
    left, right = data.draw(text_pairs(dialect, regular_pairs(dialect).map(lambda pair: pair[0])))

    assert dialect.flat
    assert {marker.label for marker in dialect.table.markers} == set(words)
    for text in (left, right):
        assert dialect.read(text, "all") == dialect.read_tree(text, "all")
    pair = turnparse.parse_pair(left, right, dialect=dialect)
    table = pa.table({"chosen": [left], "rejected": [right]})
    row = turnparse.convert_table(table, "trl", "faithful", dialect=dialect).rows.to_pylist()[0]
    assert row == {
        "prompt": [turn.message() for turn in pair.shared],
        "chosen": [turn.message() for turn in pair.chosen],
        "rejected": [turn.message() for turn in pair.rejected],
    }


@given(regular_pairs())
def test_only_the_labels_differ(pair: tuple[str, str]) -> None:
    """A text says with other labels what it says with its own."""
    messages = turnparse.parse(pair[0]).messages()
    assume(not re.search("User|Bot", pair[0]))
    written = turnparse.render(messages, dialect=USER_BOT)

    assert turnparse.parse(written, dialect=USER_BOT).messages() == messages


def test_regular_rows_are_finished_by_columns() -> None:
    """Rows of other labels are read as fast as those of the shipped dialect."""
    texts = [f"\n\nUser: {n}\n\nBot: yes" for n in range(100)]
    result = turnparse.convert_table(
        pa.table({"chosen": texts, "rejected": [t + "!" for t in texts]}), dialect=USER_BOT
    )

    assert result.regular == len(texts)


def test_a_role_left_out_keeps_its_labels() -> None:
    """A label for one role leaves the others as they are."""
    dialect = HH.with_labels(user="User")

    assert [(t.role, t.speaker) for t in turnparse.parse("\n\nUser: Hi\n\nAssistant: Ho", dialect=dialect).turns] == [
        ("user", "User"),
        ("assistant", "Assistant"),
    ]
    assert not turnparse.parse("\n\nHuman: Hi", dialect=dialect).turns


def test_a_role_that_the_grammar_does_not_know() -> None:
    """A label for a new role stands where the others stand."""
    dialect = HH.with_labels(system="System", user="User", assistant="Bot")
    text = "System: Be brief.\r\n\r\nUser: Hi\n\nBot: Ho\n\nSystem: Stop."

    assert dialect.read(text, "all") == dialect.read_tree(text, "all")
    assert [turn.role for turn in dialect.read(text).turns] == ["system", "user", "assistant", "system"]


def test_labels_of_a_grammar_of_ones_own() -> None:
    """Any flat dialect takes other labels, in its own markers; and again others."""
    dialect = Dialect.from_file(DIALECTS / "user_bot.lark").with_labels(user="Q").with_labels(assistant="A", user="F")

    assert [(t.role, t.content) for t in turnparse.parse("F: Hi\nA: Ho\nSetup: x", dialect=dialect).turns] == [
        ("user", "Hi"),
        ("assistant", "Ho"),
        ("system", "x"),
    ]


def test_labelled_dialects_pickle() -> None:
    """A dialect with other labels is one like any other."""
    again: Dialect = pickle.loads(pickle.dumps(USER_BOT))  # noqa: S301  # our own bytes

    assert again.table.marks == USER_BOT.table.marks
    assert "user=User" in again.name


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({}, "found none"),
        ({"user": None}, "found none"),
        ({"user": []}, "found none"),
        ({"user": ""}, "1 to 100"),
        ({"user": " "}, "1 to 100"),
        ({"user": "x" * 101}, "1 to 100"),
        ({"user": "a\nb"}, "'a\\\\nb'"),
        ({"user": "\x1b[31m"}, "\\\\x1b"),
        ({"user": "\ud83d"}, "ud83d"),
        ({"user": "\u202e"}, "u202e"),
        ({"user": "User:"}, "without the ':'"),
        ({"user": "Assistant"}, "for two"),
        ({"user": "A", "assistant": "A"}, "twice"),
        ({"user": ["A", "A"]}, "twice"),
        ({"user": [f"u{n}" for n in range(200)]}, "too many"),
        ({"nope": "Nope"}, "for one of the roles user, assistant, system, found 'nope'"),
        ({"user": "User", "bot": None}, "for one of the roles user, assistant, system, found 'bot'"),
        ({"\x1b[31m" + "x" * 10**5: "User"}, "for one of the roles user, assistant, system, found '\\x1b"),
    ],
)
def test_what_is_no_label(labels: dict[str, Any], found: str) -> None:
    """What cannot be a label is refused, and the message says why, in a few printable words."""
    with pytest.raises(OptionError, match=re.escape(found)) as caught:
        HH.with_labels(**labels)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_labels_are_text() -> None:
    """A label is a `str`."""
    with pytest.raises(ArgumentError, match="user"):
        HH.with_labels(user=b"User")  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("name", ["chatml", "numbered"])
def test_only_flat_dialects_take_labels(name: str) -> None:
    """A grammar of another shape is to be changed by hand."""
    with pytest.raises(OptionError, match="flat"):
        Dialect.from_file(DIALECTS / f"{name}.lark").with_labels(user="User")


def test_uneven_markers_take_no_new_role() -> None:
    """Where labels do not all stand alike, a new role has no place of its own."""
    grammar = HH.grammar.replace(
        '(START | BREAK) (USER | ASSISTANT) ":"', '(START | BREAK) USER ":" | BREAK ASSISTANT "::"'
    )

    assert Dialect.from_text(grammar).with_labels(user="User").flat
    with pytest.raises(OptionError, match="alike"):
        Dialect.from_text(grammar).with_labels(system="System")


def _run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def test_the_option(tmp_path: Path) -> None:
    """``--label`` reads a file that no shipped dialect reads, and works with a dialect of one's own."""
    source = tmp_path / "chats.jsonl"
    source.write_text(json.dumps({"text": "\n\nUser: Hi\n\nBot: Ho\n\nAI: He"}) + "\n", encoding="utf-8")
    expected: list[Message] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "assistant", "content": "He"},
    ]
    options = ["--label", "user=User", "--label", "assistant=Bot", "--label", "assistant=AI", "--to", "messages"]

    for more in ([], ["--dialect", DIALECTS.parent.parent / "grammar" / "hh.lark"]):
        code, out, _ = _run("convert", source, *options, *more, "--output", "-")
        assert (code, json.loads(out)) == (0, {"messages": expected})


def test_the_option_shows_in_examples() -> None:
    """``targets`` shows its example in the labels that are asked for; ``codes`` checks them."""
    code, out, _ = _run("targets", "hh", "--label", "user=User")

    assert code == 0
    assert "\\n\\nUser: " in out
    assert _run("codes", "--label", "user=User")[0] == 0


@pytest.mark.parametrize("command", [["convert", "x.jsonl", "-o", "y.jsonl"], ["codes"], ["targets"]])
@pytest.mark.parametrize("value", ["User", "bot=Bot", "user=", "user=Assistant", "user=\x1b[2J", "user=" + "x" * 10**5])
def test_wrong_options(command: list[str], value: str) -> None:
    """A wrong ``--label`` is a mistake in the call, told in a few printable words."""
    code, _, err = _run(*command, "--label", value)

    assert code == 2
    assert len(err) < 600
    assert err.replace("\n", "").isprintable()
