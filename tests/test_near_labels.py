"""Near misses: where most rows have no turns, the summary names what may be their labels, and what would read them."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import turnparse
from strategies import ANY_TEXT, DIALECTS, HH, PIECED_TEXT
from turnparse import Dialect, Summary
from turnparse._cli import main
from turnparse._near_labels import MOST_ROWS, MOST_WORDS, NearFinder, NearMisses
from written import convert

FINDER = NearFinder(HH.table)

NEAR_WORDS = st.one_of(
    st.sampled_from(["User", "Bot", "### Human", "HUMAN", "AI Assistant", "it's", "Bot ", "日本"]),
    st.text(st.characters(categories=("L", "N"), max_codepoint=0x17F), min_size=1, max_size=20),
)


def _rows(*texts: str, odd: int = 0) -> list[dict[str, str]]:
    good = "\n\nHuman: Hi\n\nAssistant: Ho"
    return [{"text": text} for text in (*texts, *[good] * odd)]


def _file(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _summary(rows: list[dict[str, str]]) -> Summary:
    return turnparse.convert_table(pa.Table.from_pylist(rows), "messages").summary


@settings(deadline=None)
@given(
    st.lists(NEAR_WORDS, min_size=2, max_size=2, unique_by=str.casefold),
    st.integers(1, 9),
    st.sampled_from(["", "\n\n"]),
)
def test_the_options_read_the_rows(words: list[str], count: int, start: str) -> None:
    """Whatever two words stand where labels should, the options that are named read them, first speaker as user."""
    rows = _rows(*[f"{start}{words[0]}: {n}\n\n{words[1]}: yes" for n in range(count)])
    hint = _summary(rows).near_labels
    if {word.strip() for word in words} & {"Human", "Assistant"} and hint is None:
        return

    assert hint is not None
    given_options = [option.partition("=") for option in shlex.split(hint.options) if option != "--label"]
    assert {label for _, _, label in given_options} == set(words)
    dialect = HH.with_labels(**{role: label for role, _, label in given_options})
    # One word may be the name of the system's role: without an answer rows are set aside by other presets.
    again = turnparse.convert_table(pa.Table.from_pylist(rows), "messages", "faithful", dialect=dialect)
    assert again.summary.near_labels is None
    assert [len(messages) for messages in again.rows["messages"].to_pylist()] == [2] * count
    assert hint.rows == count
    assert set(hint.words.values()) == {count}


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["User: Hi\n\nBot: Ho"], "--label user=User --label assistant=Bot"),
        (["Bot: Hi\n\nUser: Ho"], "--label user=User --label assistant=Bot"),  # the name of a role
        (["ASSISTANT: Hi\n\nX: Ho"], "--label user=X --label assistant=ASSISTANT"),  # nearly a label
        (["System: x\n\nQ: Hi\n\nA: Ho"], "--label user=Q --label assistant=A --label system=System"),
        (["User: Hi\nBot: Ho"], "--label user=User"),
        (["AI Bot: Hi"], "--label 'user=AI Bot'"),
        (["It's: Hi"], """--label 'user=It'"'"'s'"""),
        (["A: 1\n\nB: 2", "A: 1\n\nB: 2", "A: x\n\nNote: y\n\nB: z"], "--label user=A --label assistant=B"),
        (["A: 1\n\nB: 2", "A: 1", "A: 1", "A: 1"], "--label user=A"),  # a word of one row in four is no speaker
        (["\r\n\r\nA: 1\r\n\r\nB: 2"], "--label user=A --label assistant=B"),
    ],
)
def test_what_is_named(texts: list[str], options: str) -> None:
    """The commonest words are named, with the roles that they would have."""
    hint = _summary(_rows(*texts)).near_labels

    assert hint is not None
    assert hint.options == options
    assert hint.message.endswith(f"add {options}")


@pytest.mark.parametrize(
    ("texts", "odd"),
    [
        (["User: Hi"], 1),  # half of the rows is not over half
        (["User: Hi"], 5),
        (["no words at all"], 0),
        (["a\u202e: x"], 0),  # nothing that a terminal would obey
        (["\x1b[31mUser: x"], 0),
        ([f"{'x' * 41}: x"], 0),
        ([], 3),
    ],
)
def test_what_is_not_named(texts: list[str], odd: int) -> None:
    """Ordinary runs have no hint, nor what cannot be a label; then the summary as JSON has no such field."""
    summary = _summary(_rows(*texts, odd=odd))

    assert summary.near_labels is None
    assert "near_labels" not in summary.as_dict()


@pytest.mark.parametrize("name", ["chatml", "numbered"])
def test_dialects_that_take_no_labels_have_no_hint(name: str) -> None:
    """Where ``--label`` would not help, nothing is said."""
    dialect = Dialect.from_file(DIALECTS / f"{name}.lark")
    with pytest.warns(RuntimeWarning, match="flat"):
        result = turnparse.convert_table(pa.table({"text": ["User: Hi\n\nBot: Ho"]}), "messages", dialect=dialect)

    assert result.summary.near_labels is None


@given(st.one_of(ANY_TEXT, PIECED_TEXT, st.lists(st.sampled_from(["\n\n", "A", ":", " ", "\r\n\r\n"])).map("".join)))
def test_words_are_few_short_and_printable(text: str) -> None:
    """Of any text a few short words are taken, none of which can hurt a terminal, and none of which is a label."""
    words = FINDER.words([text, text])

    assert len(set(words)) == len(words) <= MOST_WORDS
    assert all(word.isprintable() and len(word) <= 40 and f"{word}:" in text for word in words)
    assert not {"Human", "Assistant"} & set(words)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4, unique=True).map(tuple)), st.integers(1, 5))
def test_counts_do_not_hang_on_chunks(rows: list[tuple[str, ...]], size: int) -> None:
    """However rows are cut into chunks, their words are counted alike."""
    whole, pieces = NearMisses(), NearMisses()
    whole.take(rows)
    for begin in range(0, len(rows), size):
        pieces.take(rows[begin : begin + size])

    assert whole == pieces
    assert whole.words == Counter(word for row in rows for word in row)


def test_only_the_first_rows_are_looked_at() -> None:
    """Of a long output the first rows tell."""
    near = NearMisses()
    near.take([("a",)] * (MOST_ROWS - 1))
    near.take([("b",)] * 3)

    assert (near.rows, near.words) == (MOST_ROWS, Counter(a=MOST_ROWS - 1, b=1))


def test_workers_agree(tmp_path: Path) -> None:
    """The hint is the same however many workers ran, over several sources, and stands in every summary."""
    sources = [
        _file(tmp_path / f"{name}.jsonl", _rows(*[f"{name}{n % 7}: Hi\n\nBot: {'x' * 3000}" for n in range(3000)]))
        for name in "ab"
    ]
    found = []
    for workers in (1, 4):
        for output in (tmp_path / f"out{workers}.jsonl", f"{tmp_path / f'out{workers}'}/"):
            written = tmp_path / "summary.json"
            summary = convert(sources, output, to="messages", workers=workers, summary=written)
            assert json.loads(written.read_text())["near_labels"] == summary.as_dict()["near_labels"]
            found.append(summary.near_labels)

    assert found[0] is not None
    assert found == [found[0]] * len(found)
    assert found[0].words == {"Bot:": 6000}


def test_a_resumed_run_tells_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    """What was counted of outputs that are done is in the manifest: whichever are, the summary names the same words."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        texts = [f"{'User' if n % 3 else name}: Hi\n\nBot: x\n\nw{name}{n}: y" for n in range(300)]
        _file(tmp_path / "in" / f"{name}.jsonl", _rows(*texts))
    out = tmp_path / "out"
    whole = turnparse.convert(tmp_path / "in", f"{out}/", to="messages")
    assert whole.near_labels is not None
    assert whole.near_labels.words == {"Bot:": 900, "User:": 600}
    manifest = (out / "turnparse-manifest.json").read_bytes()
    for undone in ("", "a", "bc", "abc"):
        for name in undone:
            (out / f"{name}.jsonl").unlink(missing_ok=True)
            (out / f"{name}.jsonl.set-aside.jsonl").unlink()
        assert turnparse.convert(tmp_path / "in", f"{out}/", to="messages", resume=True) == whole
        assert (out / "turnparse-manifest.json").read_bytes() == manifest


def test_a_manifest_holds_few_words(tmp_path: Path) -> None:
    """Of a file of which each row has words of its own, a manifest does not hold them all."""
    source = _file(tmp_path / "a.jsonl", _rows(*[f"w{n}: Hi\n\nv{n}: Ho" for n in range(3000)]))
    turnparse.convert(source, tmp_path / "o.jsonl", to="messages")

    assert (tmp_path / "o.jsonl.manifest.json").stat().st_size < 20_000


def test_the_command_tells(tmp_path: Path) -> None:
    """The command names word and option on standard error; with the option it has nothing more to say."""
    source = _file(tmp_path / "a.jsonl", _rows("User: Hi\n\nBot: Ho", "User: Hi\n\nBot: Ho"))
    arguments = ["convert", str(source), "--to", "messages", "--output", str(tmp_path / "o.jsonl")]
    first = CliRunner().invoke(main, arguments, catch_exceptions=False).stderr

    assert "2 have 'User:', 2 have 'Bot:'" in first
    assert first.endswith("add --label user=User --label assistant=Bot\n")
    again = CliRunner().invoke(
        main, [*arguments, "--force", *shlex.split(first.rpartition(" add ")[2])], catch_exceptions=False
    )
    assert "rows out: 2" in again.stderr
    assert "near" not in again.stderr


def test_the_way_back_has_no_hint(tmp_path: Path) -> None:
    """Rows of a target's format have no labels that could be missed."""
    source = tmp_path / "a.jsonl"
    source.write_text(json.dumps({"messages": [{"role": "system", "content": "User: x"}]}) + "\n", encoding="utf-8")

    assert turnparse.convert(source, tmp_path / "o.jsonl", to="messages", from_="messages").near_labels is None
