"""Hostile data: no turn in another's name, no word to a terminal, no text that takes longer than its length."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import turnparse
from strategies import CONTENT, DIALECTS, HH, PIECED_TEXT, parted_pairs, text_pairs
from turnparse import CODES, Dialect, IncompleteError, Message, Pair, RenderError, Transcript, convert
from turnparse._cells import Text
from turnparse._cli import main
from turnparse._codes import policy_values
from turnparse._diagnose import cut_off
from turnparse._job import Job
from turnparse._policies import apply_policies, mend
from turnparse._target import targets
from turnparse._way_back import sides_of
from written import run, set_aside

FLAT = {
    "hh": HH,
    "labelled": HH.with_labels(user=["User", "Q"], assistant="Bot", system="System"),
    **{name: Dialect.from_file(DIALECTS / f"{name}.lark") for name in ("user_bot", "hashes", "nested")},
}

BACK = sorted(name for name, target in targets().items() if sides_of(target) is not None)
WRITERS = sorted(
    name
    for name, target in targets().items()
    if target.takes[0] == "pair"
    and {"shared", "whole-chosen", "conversation", "completion"}
    & {cell.part for cell in target.columns.values() if isinstance(cell, Text)}
)


def contents(dialect: Dialect) -> st.SearchStrategy[str]:
    """Draw what somebody may say who wants to speak in another's name: markers of the dialect, pieces of them, and words."""
    markers = st.sampled_from([marker.literal for marker in dialect.table.markers])
    pieces = markers.flatmap(lambda m: st.tuples(st.integers(0, len(m)), st.just(m)).map(lambda p: p[1][p[0] :]))
    heads = markers.flatmap(lambda m: st.integers(0, len(m)).map(lambda at: m[:at]))
    words = st.one_of(markers, pieces, heads, CONTENT, st.sampled_from(["x", " ", "\n", "\r\n"]))
    return st.lists(words, max_size=5).map("".join).filter(lambda text: "\ud83d" not in text)


def conversations(dialect: Dialect) -> st.SearchStrategy[list[Message]]:
    """Draw stripped messages in turn, perhaps after a system message."""
    said = contents(dialect).map(str.strip)
    turns = st.lists(st.tuples(said, said), min_size=1, max_size=3).map(
        lambda pairs: [
            message
            for question, answer in pairs
            for message in (Message(role="user", content=question), Message(role="assistant", content=answer))
        ]
    )
    system = said.map(lambda text: [Message(role="system", content=text)] if text else [])
    return st.tuples(st.one_of(st.just([]), system), turns).map(lambda both: [*both[0], *both[1]])


# No turn in another's name.


@pytest.mark.parametrize("name", FLAT)
@given(data=st.data())
def test_render_writes_what_reads_back(name: str, data: st.DataObject) -> None:
    """In every dialect, what is rendered reads back as the same messages, or nothing is."""
    dialect = FLAT[name]
    messages = data.draw(conversations(dialect))
    try:
        text = turnparse.render(messages, dialect=dialect)
    except RenderError:
        return
    read = turnparse.parse(text, dialect=dialect)
    assert [(turn.role, turn.text.removeprefix(" ")) for turn in read.turns] == [
        (message["role"], message["content"]) for message in messages if message["role"] != "system"
    ]


@pytest.mark.parametrize("name", FLAT)
@settings(deadline=None)
@given(data=st.data(), back=st.sampled_from(BACK))
def test_the_way_back_writes_what_reads_back(name: str, data: st.DataObject, back: str) -> None:
    """Rows of a target, made transcripts, say what they said, or are set aside: nobody adds a turn."""
    dialect, target = FLAT[name], targets()[back]
    messages = data.draw(conversations(dialect))
    row = _row_of(target, messages)
    if row is None:
        return
    single = len(sides_of(target) or ()) == 1
    result = turnparse.convert_table(
        pa.Table.from_pylist([row]), "hh", "faithful", from_=back, dialect=dialect, policies={"identical": "keep"}
    )
    assert result.summary.rows_in == 1
    written = result.rows.to_pylist()
    assert len(written) + len(result.set_aside) == 1
    for record in written:
        for column in ("transcript",) if single else ("chosen", "rejected"):
            found = turnparse.parse(record[column], dialect=dialect).messages()
            if (single and sides_of(target) == (("prompt", "completion"),)) or column != "rejected":
                assert found == messages


def _row_of(target: turnparse.targets.Target, messages: list[Message]) -> dict[str, Any] | None:
    """Return a row of *target* that says *messages*, on both sides of a pair; None if it is made of text."""
    from turnparse._cells import Fields, System
    from turnparse._cells import Message as One
    from turnparse._cells import Messages as Many

    system = messages[0]["content"] if messages[0]["role"] == "system" else ""

    def value(cell: Any) -> Any:
        if isinstance(cell, Fields):
            return {key: value(inner) for key, inner in cell.cells.items()}
        if isinstance(cell, System):
            return system
        if isinstance(cell, (Many, One)):
            apart = system and isinstance(cell, Many) and cell.system == "apart"
            ends = cell.part in ("chosen", "rejected", "completion")
            said = messages[-1:] if ends else messages if cell.part.startswith(("whole", "conv")) else messages[:-1]
            keys = cell.keys
            spelt = [
                {keys.role: keys.names.get(message["role"], message["role"]), keys.content: message["content"]}
                for message in (said[1:] if apart and said and said[0]["role"] == "system" else said)
            ]
            return spelt[-1] if isinstance(cell, One) else spelt
        return getattr(cell, "value", None)

    if any(isinstance(cell, Text) for cell in target.columns.values()):
        return None
    return {name: value(cell) for name, cell in target.columns.items()}


@pytest.mark.filterwarnings("ignore:the dialect .* is not flat")
@pytest.mark.parametrize("name", FLAT)
@settings(deadline=None)
@given(data=st.data(), to=st.sampled_from(WRITERS), preset=st.sampled_from(["default", "faithful", "strict"]))
def test_columns_of_text_read_back(name: str, data: st.DataObject, to: str, preset: str) -> None:
    """What is written as text, put together and parsed, says what the row says after policies, or the row is set aside."""
    dialect = FLAT[name]
    said = contents(dialect)
    rows = data.draw(
        st.lists(
            st.one_of(
                parted_pairs(dialect),
                text_pairs(dialect, st.lists(said, max_size=4).map("".join)),
                st.tuples(said, said),
            ).filter(lambda pair: all("\ud83d" not in text for text in pair)),
            min_size=1,
            max_size=4,
        )
    )
    table = pa.table({"chosen": [row[0] for row in rows], "rejected": [row[1] for row in rows]})
    result = turnparse.convert_table(table, to, preset, dialect=dialect)
    aside = set(result.set_aside["row"].to_pylist())
    kept = [row for number, row in enumerate(rows) if number not in aside]
    records = result.rows.to_pylist()
    twice = len(targets()[to].records)
    assert len(records) == twice * len(kept)
    for (chosen, rejected), record in zip(kept, records[::twice], strict=True):
        pair = turnparse.parse_pair(chosen, rejected, dialect=dialect)
        mended = apply_policies(pair, policy_values(preset)).item
        assert isinstance(mended, Pair)
        for whole, said_so in _texts(targets()[to], record, mended):
            assert turnparse.parse(whole, dialect=dialect).messages() == said_so


def _texts(target: turnparse.targets.Target, record: dict[str, Any], pair: Pair) -> list[tuple[str, list[Message]]]:
    """Return each transcript in *record*, put together of its texts, and the messages that it must say."""
    cells: dict[str, str] = {cell.part: record[name] for name, cell in target.columns.items() if isinstance(cell, Text)}
    sides = {"chosen": pair.shared + pair.chosen, "rejected": pair.shared + pair.rejected}
    found = []
    for name in ("conversation", "completion"):
        if name in cells:
            text = cells[name] if name == "conversation" else cells["prompt"] + cells[name]
            found.append((text, [turn.message() for turn in sides["chosen"]]))
    for side, turns in sides.items():
        if f"whole-{side}" in cells:
            found.append((cells[f"whole-{side}"], [turn.message() for turn in turns]))
        elif side in cells:
            found.append((cells["shared"] + cells[side], [turn.message() for turn in turns]))
    assert found
    return found


# Mending does what it did step by step.


def mended_step_by_step(transcript: Transcript, values: dict[str, str]) -> Transcript:
    """Return *transcript* with its end mended as the table of policies says it, one step after the other."""

    def rebuilt(preamble: str, turns: list[Any]) -> Transcript:
        placed, start = [], len(preamble)
        for turn in turns:
            placed.append(attrs.evolve(turn, start=start))
            start = placed[-1].end
        return attrs.evolve(transcript, preamble=preamble, turns=tuple(placed))

    while True:
        codes, turns, table = transcript.codes, list(transcript.turns), transcript.reading.table
        if "cut-off-marker" in codes and values["cut-off-marker"] == "trim":
            if turns:
                turns[-1] = attrs.evolve(turns[-1], text=turns[-1].text[: cut_off(turns[-1].text, table)])
                transcript = rebuilt(transcript.preamble, turns)
            else:
                transcript = rebuilt(transcript.preamble[: cut_off(transcript.preamble, table)], [])
        elif "dangling-human" in codes and values["dangling-human"] == "drop":
            while turns and turns[-1].role == "user" and not turns[-1].content:
                turns.pop()
            transcript = rebuilt(transcript.preamble, turns)
        elif "empty-turn" in codes and values["empty-turn"] == "drop":
            last = [turns[-1]] if turns[-1].content or turns[-1].role != "system" else []
            transcript = rebuilt(transcript.preamble, [turn for turn in turns[:-1] if turn.content] + last)
        elif "ends-on-human" in codes and values["ends-on-human"] == "drop":
            while turns and turns[-1].role == "user" and turns[-1].content:
                turns.pop()
            transcript = rebuilt(transcript.preamble, turns)
        else:
            return transcript


@given(
    st.one_of(PIECED_TEXT, st.lists(st.sampled_from(["\n\nHuman", ":", " x", "\n\nAssistant", "\n"])).map("".join)),
    st.fixed_dictionaries(
        {
            name: st.sampled_from(["keep", CODES[name].choices[1]])
            for name in ("cut-off-marker", "dangling-human", "empty-turn", "ends-on-human")
        }
    ),
)
def test_the_end_is_mended_as_step_by_step(text: str, changed: dict[str, str]) -> None:
    """To mend the end at once gives what one step after the other gives, whatever policies there are."""
    values = policy_values("faithful", changed)
    transcript = turnparse.parse(text)

    assert str(mend(transcript, values)) == str(mended_step_by_step(transcript, values))


# No word to a terminal, and not too many.

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\u202e\x00\u2028"


def _hostile_rows(size: int) -> list[bytes]:
    """Return rows of every kind of error, each with control sequences and so many characters wherever they may be."""
    evil = HOSTILE * size
    rows: list[Any] = [
        {evil: 1},
        {"chosen": evil, "rejected": evil},
        {"chosen": f"\n\nHuman: {evil}\n\nAssistant:", "rejected": ""},
        {"text": [evil]},
        {"transcript": "\n\nHuman: q\n\nAssistant: a", "rating": evil, "tags": [evil]},
        {"transcript": "\n\nHuman: q\n\nAssistant: a", "tags": {evil: evil}},
        {"text": f"{evil}: x\n\n{evil}: y"},
        {"text": f"User{evil}: x"},
        [evil],
        evil,
    ]
    return [json.dumps(row).encode() for row in rows] + [f'{{"text": "{evil}'.encode(), f"{evil}".encode() or b"x"]


@pytest.mark.parametrize(
    "options", [[], ["--from", "trl"], ["--keep-columns"], ["--diagnostics", "all"], ["--to", "hh"]]
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_what_the_command_says_is_short_and_printable(tmp_path: Path, options: list[str], ending: str) -> None:
    """Standard error and the messages of rows set aside hold no control characters, and no row at length."""
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b"\n".join(_hostile_rows(20_000)))
    output = tmp_path / f"out.{ending}"
    done = CliRunner().invoke(main, ["convert", str(source), "--output", str(output), *options], catch_exceptions=False)

    assert done.exit_code == 0
    assert done.stderr.replace("\n", "").isprintable()
    assert len(done.stderr) < 3_000
    aside = set_aside(output)
    assert len(aside) > 5
    for row in aside:
        assert row["message"].isprintable()
        assert len(row["message"]) < 1_000
        assert set(row["codes"]) <= set(CODES)


def test_diagnostics_say_nothing_of_the_text() -> None:
    """The message of a diagnostic is a place and the code's meaning, whatever the text says."""
    text = f"{HOSTILE}\n\nHuman: {HOSTILE * 9999}\n\nhuman: x\n\nHuman: [INST]\n\nAssistant{HOSTILE}\n\nAssistant"
    found = turnparse.parse(text, diagnostics="all").diagnostics

    assert len({one.code for one in found}) > 4
    assert all(one.message.isprintable() and len(one.message) < 400 for one in found)


def test_many_damaged_sources_are_told_of_in_short(tmp_path: Path) -> None:
    """However many sources are damaged, the message stays short, and says how many there are."""
    good = json.dumps({"text": "\n\nHuman: Hi\n\nAssistant: Ho"}).encode() + b"\n"
    for number in range(60):
        (tmp_path / f"{number}.jsonl.gz").write_bytes(gzip.compress(good * 2000)[:-9])
    with pytest.raises(IncompleteError) as caught:
        convert(tmp_path, tmp_path / "out.jsonl", to="messages")

    assert "and 40 sources more" in str(caught.value)
    assert len(str(caught.value)) < 20 * 400


def test_errors_of_arrow_are_escaped() -> None:
    """What Arrow says of a table that is none is shown in part and without control characters."""
    with pytest.raises(turnparse.ArgumentError) as caught:
        turnparse.convert_table({HOSTILE * 999: [object()]})

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000


# No text that takes longer than its length.


LINEAR: Final = 9
"""Four times the size takes about four times as long if time grows with the length, and sixteen times if with its square."""

LEAST: Final = 5e-3
"""Seconds that are too few to tell: a size takes so long at least, or what it takes is no matter."""


ATTEMPTS: Final = 12
"""How often work is measured before it is said to grow too fast: neighbours on the machine disturb a measurement, growth does all."""


def is_linear(work: Callable[[int], object], size: int) -> bool:
    """Tell whether *work* takes not much more than four times as long for four times the size, at one of some attempts."""
    for _ in range(ATTEMPTS):
        times = []
        for of in (size, 4 * size):
            begin = time.thread_time()
            work(of)
            times.append(time.thread_time() - begin)
        if times[1] < LINEAR * max(times[0], LEAST):
            return True
    return False


TURNS = "\n\nHuman: x\n\nAssistant: y"
TEXTS: dict[str, Callable[[int], str]] = {
    "line feeds": lambda n: "\n" * n,
    "returns": lambda n: "\r\n" * n,
    "spaces": lambda n: "\n\nHuman" + " " * n,
    "spaces before colons": lambda n: ("\n\nHumam" + " " * 40) * (n // 50),
    "heads": lambda n: TURNS + "\n\nHuman" * (n // 8),
    "heads and markers": lambda n: TURNS + "\n\nHuman:\n\nHuman" * (n // 16),
    "heads of both": lambda n: TURNS + "\n\nHuman: \n\nAssistant" * (n // 20),
    "dangling": lambda n: TURNS + "\n\nHuman:" * (n // 9),
    "questions and none": lambda n: TURNS + "\n\nHuman: q\n\nHuman:" * (n // 20),
    "turns": lambda n: TURNS * (n // 24),
    "one speaker": lambda n: "\n\nHuman: x" * (n // 10) + "\n\nAssistant: y",
    "first letters": lambda n: "\nHum" * (n // 4),
    "near labels": lambda n: "\nHuman :" * (n // 8),
    "words": lambda n: "\n\na b c" * (n // 7),
    "colons": lambda n: ":" * n,
    "bars": lambda n: "<|a" * (n // 3),
    "a long token": lambda n: "<|" + "a" * n,
    "brackets": lambda n: "[INST" * (n // 5),
    "tokens": lambda n: "<|im_end|>" * (n // 10),
    "surrogates": lambda n: "\ud83d\n\n" * (n // 3),
}

CHANGED: Final = {
    "empty-turn": "drop",
    "ends-on-human": "drop",
    "same-speaker": "merge",
    "control-token": "escape",
    "starts-with-assistant": "drop",
}
MENDING: Final = policy_values("default", CHANGED)

WORK: dict[str, Callable[[str], object]] = {
    "diagnostics": lambda text: turnparse.parse(text, diagnostics="all").diagnostics,
    "pair": lambda text: turnparse.parse_pair(text, text + "z", diagnostics="all").diagnostics,
    "mended": lambda text: apply_policies(turnparse.parse(text), MENDING).codes,
    "kept end": lambda text: apply_policies(turnparse.parse(text), MENDING | {"empty-turn": "keep"}).codes,
    "converted": lambda text: turnparse.convert_table(
        pa.table({"chosen": [text], "rejected": [text + "z"]}) if "\ud83d" not in text else pa.table({"text": ["x"]}),
        "dahoas",
        policies={name: value for name, value in MENDING.items() if name in CHANGED},
    ),
}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("name", TEXTS)
def test_time_grows_with_the_length_of_a_text(name: str, work: str) -> None:
    """Whatever a text is made of, to read, judge and mend it takes time in proportion to its length."""
    assert is_linear(lambda size: WORK[work](TEXTS[name](size)), 16_000)


@pytest.mark.parametrize("letters", ["ua", "uA", "a", "u", "U", "sua", "uaa", "au"])
def test_rules_of_targets_take_many_turns(letters: str) -> None:
    """A conversation of a hundred thousand turns is held against each rule in time in proportion to their number."""
    rules = {rule.pattern: rule for target in targets().values() for rule in target.rules if rule.pattern}
    rules |= {rule.alike: rule for target in targets().values() for rule in target.rules if rule.alike}
    assert len(rules) > 10
    for rule in rules.values():
        for led in (False, True):
            for end in ("", "?"):
                assert is_linear(lambda size, e=end, r=rule, d=led: r.holds(letters * size + e, led=d), 25_000)  # type: ignore[misc]


FILES: dict[str, Callable[[int], bytes]] = {
    "damaged elements": lambda n: b"[" + b"x," * (n // 2) + b"{}]",
    "damaged elements without end": lambda n: b"[" + b"x," * (n // 2),
    "line feeds in a damaged element": lambda n: b"[{x" + b"\n" * n * 9 + b"},{}]",
    "objects in a damaged element": lambda n: b"[x {" + b',{"a":1}' * (n // 8) + b",{}]",
    "objects that never end": lambda n: b"[x" + b',{"a":[0' * 90 + b",0" * n + b"]",
    "brackets": lambda n: b"[" + b"]" * n,
    "brackets and commas": lambda n: b"[" + b"]," * (n // 2),
    "open brackets": lambda n: b"[" * n,
    "open objects": lambda n: b"[{" * n,
    "quotes": lambda n: b'["' + b'a",\n"' * (n // 6) + b"]",
    "blank lines": lambda n: b"\n" * n * 9,
    "odd blank lines": lambda n: b"\xe2\x80\xa8\n" * n,
    "spaces": lambda n: b" " * n * 9,
    "digits": lambda n: b'{"text":' + b"1" * (n // 4) + b"}",
    "numbers": lambda n: b'{"text":"' + b"123456789012345678 " * (n // 19) + b'"}',
    "no numbers": lambda n: b'{"text":"' + b" NaN" * (n // 4) + b'"}',
    "entries": lambda n: b'{"source" "line" "row" "codes" "message" "raw"\n' * (n // 47),
}


@pytest.mark.parametrize("name", FILES)
def test_time_grows_with_the_length_of_a_file(tmp_path: Path, name: str) -> None:
    """Whatever a file is made of, to convert it takes time in proportion to its length."""

    def work(size: int) -> None:
        (tmp_path / "in.json").write_bytes(FILES[name](size))
        try:
            run(tmp_path / "in.json", tmp_path / "out.jsonl", to="messages", workers=1)
        except turnparse.SourceError:
            return

    assert is_linear(work, 4_000)


def test_near_labels_are_looked_for_in_a_bounded_part() -> None:
    """A row without turns is looked through for labels in its first part only."""
    job = Job.of(to="messages", preset="faithful", policies=None, dialect=HH, diagnostics="structural", side="chosen",
                 chosen=None, rejected=None, transcript=None, keep_columns=False)  # fmt: skip
    from turnparse._near_labels import MOST_TEXT, NearFinder

    finder = NearFinder(job.dialect.table)
    assert finder.words(["x" * MOST_TEXT + "\n\nUser: x"]) == ()
    assert finder.words(["x" * (MOST_TEXT - 100) + "\n\nUser: x"]) == ("User",)
