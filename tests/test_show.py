"""`turnparse show` shows every row as it is, once, and lets nothing of the data command the terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import turnparse
from strategies import ANY_TEXT, TEXT, differing_texts, json_files, parted_pairs, terminal_texts, text_pairs
from turnparse import CODES, Pair, RedTeamAttempt, RowError, SourceError, check, parse, parse_pair, read
from turnparse._ascii_json import ascii_json
from turnparse._cli import main
from turnparse._codes import OF_OUTPUT
from turnparse._places import Place, Wanted
from turnparse._policies import Item
from turnparse._show_json import as_object
from turnparse._show_text import LEAST_WIDTH, MARKS, as_lines
from turnparse._views import View
from turnparse._word_differences import MOST_COMPARED, WORD, differences
from written import as_lines as as_json_lines
from written import pairs, talks, write_table

SAMPLES = Path(turnparse.__file__).parent / "samples"
PAIRS, RED_TEAM, DAMAGED = (SAMPLES / f"{name}.jsonl" for name in ("pairs", "red_team", "damaged"))
WIDTHS = st.integers(1, 160)


def _run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["show", *map(str, arguments)], input=stdin, catch_exceptions=False)


def _objects(*arguments: str | Path, stdin: bytes = b"") -> list[dict[str, Any]]:
    done = _run(*arguments, "--format", "json", stdin=stdin)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def _places(*arguments: str | Path) -> list[str]:
    return [found["place"] for found in _objects(*arguments)]


def _lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_bytes(as_json_lines(rows))
    return path


def _view(item: Item) -> View:
    return View(Place("rows.jsonl", 1, 0), item)


ITEMS: st.SearchStrategy[Item] = st.one_of(
    st.one_of(text_pairs(), parted_pairs(), st.tuples(terminal_texts(), terminal_texts())).map(
        lambda sides: parse_pair(*sides, diagnostics="all")
    ),
    st.one_of(TEXT, terminal_texts()).map(lambda text: parse(text, diagnostics="all")),
    st.builds(
        lambda text, words: RedTeamAttempt(parse(text, diagnostics="all"), task_description=words, tags=(words,)),
        terminal_texts(),
        ANY_TEXT,
    ),
)
VIEWS = ITEMS.map(_view) | st.binary(max_size=60).map(
    lambda raw: View(Place("rows.jsonl", 1, 0), None, RowError("expected something", code="bad-json", raw=raw))
)


# Word differences.


@given(differing_texts())
def test_differences_rebuild_both_texts(texts: tuple[str, str]) -> None:
    """The stretches of each side together are its text; those called equal are, and no others, and neighbours differ in that."""
    found = differences(*texts)

    assert ("".join(one.chosen for one in found), "".join(one.rejected for one in found)) == texts
    assert all((one.operation == "equal") == (one.chosen == one.rejected) for one in found)
    assert all(one.chosen or one.rejected for one in found)
    equal = [one.operation == "equal" for one in found]
    assert equal == [index % 2 == (0 if equal and equal[0] else 1) for index in range(len(equal))]


@given(ANY_TEXT)
def test_equal_texts_have_no_difference(text: str) -> None:
    """A text does not differ from itself."""
    assert {one.operation for one in differences(text, text)} <= {"equal"}


def test_differences_are_whole_words() -> None:
    """What differs are words, never pieces of one, and white space between differing words is one of the differences."""
    found = differences("It is a small red house.", "It was a big old house!")

    assert [(one.operation, one.chosen, one.rejected) for one in found] == [
        ("equal", "It ", "It "),
        ("replace", "is", "was"),
        ("equal", " a ", " a "),
        ("replace", "small red", "big old"),
        ("equal", " house", " house"),
        ("replace", ".", "!"),
    ]


@pytest.mark.parametrize("words", [990, 100_000])
def test_enormous_texts_take_no_time(words: int) -> None:
    """Texts made for it take a second at the limit, and beyond it no more: what lies between the ends is one difference."""
    one, other = (f"same {' '.join(f'x {side}{at}' for at in range(words // 2))} end" for side in "ab")
    before = time.process_time()
    found = differences(one, other)

    assert time.process_time() - before < 5
    if len(WORD.findall(one)) ** 2 > MOST_COMPARED:
        assert [part.operation for part in found] == ["equal", "replace", "equal"]


# What reaches the terminal.


def _without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@given(VIEWS, WIDTHS, st.booleans())
def test_nothing_commands_the_terminal(view: View, width: int, color: bool) -> None:  # noqa: FBT001  # drawn
    """For any text, what is printed is printable but for our own colours, and in plain there are none of these."""
    shown = as_lines(view, width, color=color)

    assert (shown if not color else _without_styles(shown)).replace("\n", "").isprintable()
    assert shown.endswith("\n")


@given(VIEWS, WIDTHS)
def test_lines_fit_the_terminal(view: View, width: int) -> None:
    """No line below the first has more cells than the terminal, wide characters counted as such."""
    _, *lines = as_lines(view, width, color=False).split("\n")

    assert max(map(cell_len, lines), default=0) <= max(width, LEAST_WIDTH)


@given(st.tuples(terminal_texts(), terminal_texts()), st.integers(90, 160))
def test_columns_stand_below_each_other(texts: tuple[str, str], width: int) -> None:
    """The line between two answers stands in one column of cells, whatever characters are before it."""
    pair = parse_pair("\n\nHuman: q\n\nAssistant: " + texts[0], "\n\nHuman: q\n\nAssistant: " + texts[1])
    if pair.relation != "last-turn":
        return
    lines = as_lines(_view(pair), width, color=False).split("\n")
    head = next(index for index, line in enumerate(lines) if "+ chosen" in line)
    places = {cell_len(line[: line.index(" │")]) for line in lines[head:-2]}

    assert len(places) == 1


def test_escapes_are_shown() -> None:
    """Control characters, escape sequences, and what turns the direction of writing can be seen for what they are."""
    text = "\n\nHuman: \x1b[31mred\x07 \u202eevil \x9b \ud83d \u200b\t."
    shown = as_lines(_view(parse(text)), 100, color=False)

    assert r"\x1b[31mred\x07 \u202eevil \x9b \ud83d \u200b\t." in shown


def test_words_that_differ_are_marked() -> None:
    """Without colours words that only one side has stand between marks, as in a word diff of git; with them in colour."""
    view = _view(parse_pair("\n\nHuman: q\n\nAssistant: a red fox", "\n\nHuman: q\n\nAssistant: a grey fox"))
    plain, colored = as_lines(view, 100, color=False), as_lines(view, 100, color=True)

    assert "a {+red+} fox" in plain
    assert "a [-grey-] fox" in plain
    assert not any(mark in colored for marks in MARKS.values() for mark in marks)
    assert "\x1b[1;32mred" in colored
    assert "\x1b[1;31mgrey" in colored


@pytest.mark.parametrize("width", [30, 60, 100])
def test_shared_turns_are_shown_once(width: int) -> None:
    """What both sides share is there once; the answers stand beside each other, or in a narrow terminal below."""
    start = "\n\nHuman: kettle\n\nAssistant: teapot\n\nHuman: saucer\n\nAssistant: "
    shown = as_lines(_view(parse_pair(start + "yes", start + "no")), width, color=False)

    assert [shown.count(word) for word in ("kettle", "teapot", "saucer", "yes", "no")] == [1] * 5
    assert any("{+yes+}" in line and "[-no-]" in line for line in shown.split("\n")) == (width > 30)


@given(ITEMS)
def test_every_code_is_shown(item: Item) -> None:
    """Each code that a row carries stands somewhere, in the margin beside its turn or above."""
    shown = re.sub(r"\s", "", as_lines(_view(item), 160, color=False))

    assert [code for code in item.codes if code not in shown] == []


# Rows, places and filters.


@given(json_files())
def test_every_row_is_shown_once_in_order(data: bytes) -> None:
    """Of any file each row is there once and in order, whether it can be read or not; its JSON is ASCII."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        source.write_bytes(data)
        try:
            result = check(source, places=1 << 20)
        except SourceError:
            assert _run(source).exit_code == 2
            return
        done = _run(source, "--format", "json")
        text = _run(source)

    assert done.exit_code == text.exit_code == bool(result.failures)
    assert done.stdout.isascii()
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    damaged = sum(finding.code.name == "source-damaged" for finding in result.findings)
    assert [found["row"] for found in objects] == list(range(result.rows - damaged))
    for finding in result.findings:
        carrying = [found["row"] for found in objects if finding.code.name in _codes_of(found)]
        assert carrying == [place.row for place in finding.places] or finding.code.name == "source-damaged"


def _codes_of(found: dict[str, Any]) -> set[str]:
    return {found["code"]} if found["kind"] == "unread" else {one["code"] for one in found["diagnostics"]}


@given(ITEMS)
def test_json_holds_the_row(item: Item) -> None:
    """The object of a row has its turns, its diagnostics, and differences that rebuild the turns that were compared."""
    found = json.loads(ascii_json(as_object(_view(item))))

    assert len(found["diagnostics"]) == len(item.diagnostics)
    if not isinstance(item, Pair):
        transcript = item.transcript if isinstance(item, RedTeamAttempt) else item
        assert [turn["content"] for turn in found["turns"]] == [turn.content for turn in transcript.message_turns]
        return
    assert found["relation"] == item.relation
    for side in ("chosen", "rejected"):
        tail = found["turns"][side]
        rebuilt = ["".join(part[side] for part in parts) for parts in found["differences"]]
        assert rebuilt == [turn["content"] for turn in tail][: len(rebuilt)]
        assert [turn["role"] for turn in found["turns"]["shared"] + tail] == [
            turn.role for turn in (*item.shared, *(item.chosen if side == "chosen" else item.rejected))
        ]


def test_places_of_a_check_can_be_shown(tmp_path: Path) -> None:
    """Every place that a check tells is one that can be shown, and the row that is shown carries the code."""
    write_table(table := tmp_path / "rows.parquet", _table())
    array = tmp_path / "array.json"
    array.write_text(json.dumps([{"text": "a"}, *talks(1), {"text": "b"}, 1]))
    for source in (PAIRS, RED_TEAM, DAMAGED, table, array):
        for finding in check(source, places=1 << 20).findings:
            for place in finding.places:
                (found,) = _objects(str(place))
                assert finding.code.name in _codes_of(found)
                assert found["place"] == str(place)


def _table() -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([*talks(1), {"text": "a"}, {"text": "\n\nHuman: b"}])


def test_a_file_of_that_very_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colons and signs in the name of a file are its own, and a place comes after them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a:1", "b#2", "c:d.jsonl"):
        _lines(tmp_path / name, talks(2))

    assert len(_places("a:1")) == len(_places("b#2")) == len(_places("c:d.jsonl")) == 2
    assert _places("a:1:2") == ["a:1:2"]
    assert _places("c:d.jsonl#1") == ["c:d.jsonl:2"]
    assert Wanted.of("https://example.org/a.jsonl:3") == Wanted("https://example.org/a.jsonl", 3)
    assert Wanted.of("https://example.org:80/a.jsonl#3") == Wanted("https://example.org:80/a.jsonl", None, 3)
    assert Wanted.of("x:0") == Wanted("x:0")


@pytest.mark.parametrize("place", [":86", "#85", ":2000000", "#99"])
def test_a_place_without_a_row_is_a_mistake(place: str) -> None:
    """Where there is no row, that is said, and how places are counted."""
    done = _run(f"{PAIRS}{place}")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "SOURCE:LINE counts lines from 1" in done.stderr


def test_rows_that_cannot_be_read_are_shown() -> None:
    """They are shown with their code, the reason, and how they begin."""
    done = _run(f"{DAMAGED}:3")

    assert done.stdout.splitlines() == [
        f"{DAMAGED}:3 · unread",
        "not-an-object: expected a JSON object, found an array",
        '["not", "an", "object"]',
        "",
    ]


def test_filters_leave_out_rows() -> None:
    """Codes, relations, turns and expressions each leave out what does not fit, and all of them must."""
    everything = dict(zip(_places(PAIRS), read(PAIRS, diagnostics="all"), strict=True))
    by: dict[str, Callable[[Any], bool]] = {
        "--code=no-turns,identical": lambda pair: bool(pair.codes & {"no-turns", "identical"}),
        "--relation=uneven,earlier": lambda pair: pair.relation in {"uneven", "earlier"},
        "--turns=4..": lambda pair: _turns(pair) >= 4,
        "--turns=..2": lambda pair: _turns(pair) <= 2,
        "--turns=3": lambda pair: _turns(pair) == 3,
        "--turns=2..3": lambda pair: 2 <= _turns(pair) <= 3,
        "--grep=(?i)EGG": lambda pair: "egg" in (str(pair.chosen_transcript) + str(pair.rejected_transcript)).lower(),
    }
    for option, fits in by.items():
        expected = [place for place, item in everything.items() if fits(item)]
        assert _places(PAIRS, option) == expected
        assert expected
        assert _places(PAIRS, option, "--limit", "1") == expected[:1]
    both = _places(PAIRS, "--relation=uneven,earlier", "--turns=4..")
    assert set(both) == set(_places(PAIRS, "--relation=uneven,earlier")) & set(_places(PAIRS, "--turns=4.."))


def _turns(pair: Any) -> int:
    return len(pair.shared) + max(len(pair.chosen), len(pair.rejected))


def test_metadata_is_shown_and_searched() -> None:
    """Attempts are shown with their metadata, which expressions look through too."""
    (found,) = _objects(RED_TEAM, "--grep", "leaks other")

    assert found["metadata"]["task_description"] in " ".join(_run(found["place"], "--width", "160").stdout.split())
    assert "rating" in found["metadata"]


def test_expressions_that_never_end_elsewhere(tmp_path: Path) -> None:
    """An expression that keeps Python's own busy for ever takes no time."""
    source = _lines(tmp_path / "rows.jsonl", [{"text": "\n\nHuman: " + "a" * 5_000}])
    before = time.process_time()

    assert _run(source, "--grep", "(a+)+b").stdout == ""
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grep", "("], "expected a regular expression of RE2"),
        (["--grep", "\ud800"], "expected a regular expression of RE2"),
        (["--code", "nonsense"], "expected a code"),
        (["--relation", "nonsense"], "expected a relation"),
        (["--turns", "few"], "expected turns as in"),
        (["--turns", ".."], "expected turns as in"),
        (["--turns", ""], "expected turns as in"),
        (["-"], "at most once"),
        (["missing.jsonl"], "missing.jsonl"),
        ([f"{SAMPLES}:3"], "expected one file"),
    ],
)
def test_mistakes_in_the_call(options: list[str], message: str) -> None:
    """What is wrong is said, with exit code 2 if nothing could be shown."""
    done = _run("-", *options, stdin=b"")

    assert done.exit_code == 2
    assert message in done.stderr


def test_sources_of_all_kinds(tmp_path: Path) -> None:
    """Folders, patterns, standard input, several sources and set-aside files are read as by a conversion."""
    _lines(tmp_path / "a.jsonl", talks(1))
    write_table(tmp_path / "b.parquet", _table())
    output = tmp_path / "out.jsonl"
    turnparse.convert(PAIRS, output, to="trl")

    assert _places(tmp_path / "*.*[lt]", "--grep", "Is tea hot") == _places(tmp_path, "--grep", "Is tea hot")
    assert _objects("-", stdin=as_json_lines(pairs(2)))[1]["place"] == "-:2"
    assert all(place.startswith(f"{PAIRS}:") for place in _places(f"{output}.set-aside.jsonl"))
    assert _places(f"{output}.set-aside.jsonl:2") == _places(f"{output}.set-aside.jsonl")[1:2]
    assert len(_places(tmp_path / "a.jsonl", PAIRS)) == 86


def test_nothing_to_show_is_said() -> None:
    """A filter that nothing passes is no failure, but it is told."""
    done = _run(PAIRS, "--grep", "xyzzy")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "no row was found" in done.stderr


# The terminal.


def _in_terminal(*arguments: str | Path, **environment: str) -> bytes:
    """Run the command with a terminal as its output, and return what it writes."""
    master, slave = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "PAGER", "LESS", "COLUMNS"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "turnparse", "show", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=clean | {"TERM": "xterm", "COLUMNS": "80"} | environment,
    )
    os.close(slave)
    written = b""
    try:
        while data := os.read(master, 1 << 16):
            written += data
    except OSError:
        # The other end was closed.
        pass
    os.close(master)
    assert process.wait(60) == 0
    return written


def test_a_terminal_has_colours_unless_they_are_not_wanted() -> None:
    """On a terminal differences are in colour, with NO_COLOR between marks; piped they are between marks too."""
    assert b"\x1b[1;32m" in _in_terminal(f"{PAIRS}:1", "--no-pager")
    plain = _in_terminal(f"{PAIRS}:1", "--no-pager", NO_COLOR="1")
    assert b"\x1b" not in plain
    assert b"{+" in plain
    assert plain.decode().replace("\r\n", "\n") == _run(f"{PAIRS}:1", "--width", "80").stdout


def test_a_terminal_has_pages() -> None:
    """On a terminal the pager that PAGER names gets the text."""
    written = _in_terminal(f"{PAIRS}:1", PAGER="wc -l")

    assert int(written) == _run(f"{PAIRS}:1", "--width", "80").stdout.count("\n")


def test_who_has_seen_enough_is_told_nothing() -> None:
    """A reader that goes away ends the command in silence."""
    script = f"{sys.executable} -m turnparse show {PAIRS} {PAIRS} {PAIRS} {PAIRS} | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False, timeout=60)

    assert done.stdout.decode() == f"{PAIRS}:1 · pair · last-turn · 1 shared, 1 chosen, 1 rejected\n"
    assert done.stderr == b""


def test_letters_that_the_output_lacks_are_escaped() -> None:
    """Where only ASCII can be written, all else is shown as an escape."""
    done = subprocess.run(
        [sys.executable, "-m", "turnparse", "show", f"{PAIRS}:1"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.isascii()


def test_codes_are_of_the_table() -> None:
    """Whatever code is asked for, the rows that are shown carry it."""
    for code in CODES.values():
        if code.name not in OF_OUTPUT:
            assert all(code.name in _codes_of(found) for found in _objects(PAIRS, DAMAGED, "--code", code.name))


def test_letters_are_left_whole() -> None:
    """Combining characters stay with their letter, and wide ones are shown."""
    text = "e\u0301 \u65e5\u672c \U0001f600"

    assert text in as_lines(_view(parse(f"\n\nHuman: {text}")), 80, color=False)
