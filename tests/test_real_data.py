"""On the published files every row comes out right, by an independent reading of them.

The texts are partly offensive. No assertion here holds one, so that no failure prints one: rows are named by their
numbers only.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from turnparse import CODES, Dialect, Pair, RedTeamAttempt, check, parse, parse_pair, parse_red_team, read, render
from turnparse._job import Job
from turnparse._limits import USUAL
from turnparse._places import Wanted
from turnparse._show_text import as_lines
from turnparse._views import Filters, views
from written import convert, files_in

HARMLESS, HELPFUL = "harmless-base.test.jsonl.gz", "helpful-base.test.jsonl.gz"
ARRAY, LINES = "red_team_attempts.sample.json", "red_team_attempts.sample.jsonl"

Row = dict[str, str]
Turns = list[tuple[str, str]]
"""(label, content) of each turn."""


@pytest.fixture(scope="module", autouse=True)
def no_text_in_tracebacks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have failures shown without the arguments of the calls that led to them: in this file those are texts."""
    option = request.config.option
    before, option.tbstyle = option.tbstyle, "native"
    yield
    option.tbstyle = before


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder of the published files: ``TURNPARSE_DATA``, or ``../shared/data`` beside the checkout."""
    named = os.environ.get("TURNPARSE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no published files in {folder}; name their folder in TURNPARSE_DATA")
    return folder


@pytest.fixture(scope="module", params=[HARMLESS, HELPFUL], ids=["harmless", "helpful"])
def file(request: pytest.FixtureRequest, data: Path) -> Path:
    """Return each of the two files of pairs."""
    name: str = request.param
    return data / name


def _expected(file: Path, harmless: int, helpful: int) -> int:
    return harmless if file.name == HARMLESS else helpful


@cache
def _rows(file: Path) -> list[Row]:
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def _plain(text: str) -> Turns:
    """Return the turns of a text, read as plainly as can be. Sound here: no text has a preamble or a CRLF."""
    start, *parts = re.split(r"\n\n(Human|Assistant):", text)
    begins_with_marker = start == ""
    assert begins_with_marker
    return [(label, content.strip()) for label, content in zip(parts[::2], parts[1::2], strict=True)]


@cache
def _sides(file: Path) -> list[tuple[Turns, Turns]]:
    """Return the turns of the two sides of each row, by the plain reading."""
    return [(_plain(row["chosen"]), _plain(row["rejected"])) for row in _rows(file)]


def _shared(left: Turns, right: Turns) -> int:
    """Return how many leading turns are equal on both sides, the last of a side not counted."""
    limit = min(len(left), len(right)) - 1
    return next((at for at in range(limit) if left[at] != right[at]), limit)


def _tails(sides: tuple[Turns, Turns]) -> tuple[Turns, Turns]:
    shared = _shared(*sides)
    return sides[0][shared:], sides[1][shared:]


def _plain_messages(turns: Turns) -> list[dict[str, str]]:
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[label], "content": content} for label, content in turns]


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield (row, text) of every transcript of a file."""
    for number, row in enumerate(_rows(file)):
        yield number, row["chosen"]
        yield number, row["rejected"]


def _numbers(file: Path, holds: Callable[[Turns, Turns], bool]) -> set[int]:
    """Return the rows of which something holds, by the plain reading."""
    return {number for number, sides in enumerate(_sides(file)) if holds(*sides)}


def _with_code(file: Path, *codes: str) -> set[int]:
    """Return the rows that carry one of *codes*."""
    pairs = read(file, diagnostics="all")
    return {row for row, pair in enumerate(pairs) if any(found.code in codes for found in pair.diagnostics)}


def _repeats(turns: Turns) -> bool:
    return any(one[0] == other[0] for one, other in pairwise(turns))


def _lacks_content(turns: Turns) -> bool:
    return not all(content for _, content in turns)


def _holds_label(turns: Turns) -> bool:
    return any("Human:" in content or "Assistant:" in content for _, content in turns)


# The table of DESIGN.md: each count by the plain reading first, and then the rows by turnparse's.


def test_the_files_are_those_of_the_table(file: Path) -> None:
    """Both files have the rows that the table says, every transcript begins with a marker, and most are not ASCII."""
    starts = [row for row, text in _texts(file) if not text.startswith("\n\nHuman:")]
    not_ascii = sum(1 for _, text in _texts(file) if not text.isascii())

    assert len(_rows(file)) == _expected(file, 2_312, 2_354)
    assert starts == []
    assert not_ascii == _expected(file, 3_360, 3_405)


def test_tails_are_those_of_the_table(file: Path) -> None:
    """The tails have one turn each, or a longer one on one side, on just the rows where a plain reading says so."""
    lengths = [tuple(map(len, _tails(sides))) for sides in _sides(file)]
    pairs = [pair for pair in read(file) if isinstance(pair, Pair)]
    wrong = [
        row
        for row, (pair, expected) in enumerate(zip(pairs, lengths, strict=True))
        if (len(pair.chosen), len(pair.rejected)) != expected
    ]

    assert wrong == []
    assert lengths.count((1, 1)) == _expected(file, 2_307, 2_345)
    assert sum(1 for length in lengths if max(length) > 1 == min(length)) == _expected(file, 5, 9)


def test_identical_pairs_are_those_of_the_table(file: Path) -> None:
    """The rows whose sides are the same are found, and no other."""
    expected = _numbers(file, lambda left, right: left == right)

    assert _with_code(file, "identical") == expected
    assert len(expected) == _expected(file, 0, 2)


def test_repeated_speakers_are_those_of_the_table(file: Path) -> None:
    """The rows with two turns of one speaker in a row, on either side, are found, and no other."""
    expected = _numbers(file, lambda left, right: _repeats(left) or _repeats(right))

    assert _with_code(file, "same-speaker") == expected
    assert len(expected) == _expected(file, 9, 15)


def test_empty_turns_are_those_of_the_table(file: Path) -> None:
    """The rows with an empty turn of any kind are found, and no other."""
    expected = _numbers(file, lambda left, right: _lacks_content(left) or _lacks_content(right))

    assert _with_code(file, "empty-turn", "empty-response", "dangling-human") == expected
    assert len(expected) == _expected(file, 4, 4)


def test_labels_inside_turns_are_those_of_the_table(file: Path) -> None:
    """The rows with a label and colon inside a turn are found, and no other."""
    expected = _numbers(file, lambda left, right: _holds_label(left) or _holds_label(right))

    assert _with_code(file, "label-inside", "label-at-line-start") == expected
    assert len(expected) == _expected(file, 49, 41)


def test_cut_off_markers_are_those_of_the_table(file: Path) -> None:
    """The rows with a side that ends in a label without its colon are found, and no other."""
    expected = {row for row, text in _texts(file) if re.search(r"\n\n(Human|Assistant)\s*\Z", text)}

    assert _with_code(file, "cut-off-marker") == expected
    assert len(expected) == 1


# What `check` and `show` tell of them.


def test_check_finds_what_the_table_counts(file: Path) -> None:
    """A check counts the rows of the table, by its codes, and names each by its line; with structural codes alone too."""
    found = {finding.code.name: finding for finding in check(file, places=1 << 20).findings}
    rows = {code: {place.row for place in finding.places} for code, finding in found.items()}
    lines = {place.line == place.row + 1 for finding in found.values() for place in finding.places}
    structural = {finding.code.name: finding.rows for finding in check(file, select=["structural"]).findings}

    def count(*codes: str) -> int:
        return len(set().union(*(rows.get(code, set()) for code in codes)))

    assert count("uneven", "extends") == _expected(file, 5, 9)
    assert count("identical") == _expected(file, 0, 2)
    assert count("same-speaker") == _expected(file, 9, 15)
    assert count("empty-turn", "empty-response", "dangling-human") == 4
    assert count("label-inside", "label-at-line-start") == _expected(file, 49, 41)
    assert count("cut-off-marker") == 1
    assert lines == {True}
    assert structural == {code: len(found) for code, found in rows.items() if CODES[code].severity == "structural"}


def test_every_row_can_be_shown(file: Path) -> None:
    """Each row is shown, once, in lines that fit, and nothing of it commands the terminal."""
    job = Job.of(
        to="messages", preset="faithful", policies=None, dialect="hh", diagnostics="all", side="chosen", chosen=None,
        rejected=None, transcript=None, keep_columns=False,
    )  # fmt: skip
    seen, wrong = [], []
    for view in views([Wanted(str(file))], job, USUAL, Filters(), []):
        seen.append(view.place.row)
        text = as_lines(view, 100, color=False)
        headline, *lines = text.split("\n")
        if not (
            text.replace("\n", "").isprintable() and max(map(cell_len, lines)) <= 100 and str(view.place) in headline
        ):
            wrong.append(view.place.row)

    assert wrong == []
    assert seen == list(range(_expected(file, 2_312, 2_354)))


# What `convert` makes of them.


def test_faithful_writes_every_row(file: Path, tmp_path: Path) -> None:
    """Under ``faithful`` no row of either file is set aside, and its contents are those of the plain reading."""
    output = tmp_path / "out.jsonl"
    summary = convert(file, output, to="trl", preset="faithful")
    records = _records(output)
    count = _expected(file, 2_312, 2_354)

    assert (summary.rows_in, summary.rows_out, summary.rows_set_aside) == (count, count, 0)
    assert (len(records), list(files_in(tmp_path))) == (count, ["out.jsonl"])
    one_turn = sum(1 for record in records if len(record["chosen"]) == len(record["rejected"]) == 1)
    assert one_turn == _expected(file, 2_307, 2_345)
    wrong = []
    for row, (record, sides) in enumerate(zip(records, _sides(file), strict=True)):
        chosen, rejected = map(_plain_messages, _tails(sides))
        prompt = _plain_messages(sides[0][: _shared(*sides)])
        if record != {"prompt": prompt, "chosen": chosen, "rejected": rejected}:
            wrong.append(row)
    assert wrong == []


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_whole_conversations_are_those_of_a_plain_reading(file: Path, tmp_path: Path, side: str) -> None:
    """Targets ``trl-implicit`` and ``messages`` hold each side from its start, on every row."""
    whole, one = tmp_path / "whole.jsonl", tmp_path / "one.jsonl"
    convert(file, whole, to="trl-implicit", preset="faithful")
    convert(file, one, to="messages", side=side, preset="faithful")
    expected = [_plain_messages(sides[side == "rejected"]) for sides in _sides(file)]

    wrong = [
        row
        for row, (both, single, messages) in enumerate(zip(_records(whole), _records(one), expected, strict=True))
        if not both[side] == single["messages"] == messages
    ]
    assert wrong == []


def test_strict_is_the_published_filter(file: Path, tmp_path: Path) -> None:
    """Under ``strict`` the rows that RLHFlow's filter keeps are written, and each other one has a code."""
    output = tmp_path / "out.jsonl"
    summary = convert(file, output, to="trl", preset="strict")
    aside = _records(tmp_path / "out.jsonl.set-aside.jsonl")

    assert summary.rows_in == _expected(file, 2_312, 2_354)
    assert summary.rows_out == len(_records(output)) == _expected(file, 2_299, 2_333)
    assert summary.rows_set_aside == len(aside) == _expected(file, 13, 21)
    without_code = [record["row"] for record in aside if not record["codes"] or not set(record["codes"]) <= set(CODES)]
    assert without_code == []
    odd = _numbers(
        file,
        lambda left, right: (
            any(_repeats(side) or _lacks_content(side) for side in (left, right))
            or left == right
            or list(map(len, _tails((left, right)))) != [1, 1]
        ),
    )
    assert {record["row"] for record in aside} == odd


@pytest.mark.parametrize("preset", ["default", "strict"])
def test_rows_set_aside_are_the_lines_of_the_file(file: Path, tmp_path: Path, preset: str) -> None:
    """What is set aside is each row's line to the letter, at its own number."""
    convert(file, tmp_path / "out.jsonl", preset=preset)
    lines = gzip.decompress(file.read_bytes()).split(b"\n")
    aside = _records(tmp_path / "out.jsonl.set-aside.jsonl")

    wrong = [record["row"] for record in aside if record["raw"].encode() != lines[record["line"] - 1]]
    assert wrong == []
    assert [record["line"] - 1 for record in aside] == [record["row"] for record in aside]
    assert {record["source"] for record in aside} == {str(file)}


def test_outputs_are_equal_from_run_to_run(file: Path, tmp_path: Path) -> None:
    """Two runs write the same bytes."""
    outputs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for output in outputs:
        convert(file, output, keep_columns=True, diagnostics="all")

    same = outputs[0].read_bytes() == outputs[1].read_bytes()
    assert same


# What the readers make of them.


def test_every_transcript_is_given_back_exactly(file: Path) -> None:
    """``str(parse(text))`` and ``render(parse(text))`` are the text, and the turns' spans tile it."""
    wrong = []
    for row, text in _texts(file):
        transcript = parse(text)
        spans = [(turn.start, turn.end) for turn in transcript.turns]
        ends = [len(transcript.preamble), *(end for _, end in spans)]
        tiled = [start for start, _ in spans] == ends[:-1] and ends[-1] == len(text)
        exact = all(text[turn.start : turn.end] == str(turn) for turn in transcript.turns)
        if not (str(transcript) == text == render(transcript) and tiled and exact):
            wrong.append(row)
    assert wrong == []


def test_every_transcript_reads_back_from_its_messages(file: Path) -> None:
    """The messages of every transcript can be written and read again, for no content here holds a marker."""
    wrong = [
        row for row, text in _texts(file) if parse(render(messages := parse(text).messages())).messages() != messages
    ]
    assert wrong == []


def test_the_scan_reader_equals_the_tree_reader(file: Path) -> None:
    """The fast reader finds what Lark finds, on every transcript."""
    dialect = Dialect.named()
    assert dialect.flat

    wrong = [row for row, text in _texts(file) if dialect.read(text) != dialect.read_tree(text)]
    assert wrong == []


def test_a_pair_is_its_two_transcripts(file: Path) -> None:
    """A pair, whose shared turns are read once, holds the transcripts that each side gives alone."""
    wrong = []
    for row, texts in enumerate(_rows(file)):
        pair = parse_pair(texts["chosen"], texts["rejected"])
        sides = parse(texts["chosen"]), parse(texts["rejected"])
        whole = [[turn.message() for turn in pair.shared + tail] for tail in (pair.chosen, pair.rejected)]
        if (pair.chosen_transcript, pair.rejected_transcript) != sides or whole != [s.messages() for s in sides]:
            wrong.append(row)
    assert wrong == []


# Red-team attempts.


def test_red_team_rows_are_equal_from_both_files(data: Path) -> None:
    """The ten attempts are the same from the array and from the lines, each with all of its fields."""
    array, lines = list(read(data / ARRAY)), list(read(data / LINES))
    rows = json.loads((data / ARRAY).read_bytes())

    assert (len(array), len(lines)) == (10, 10)
    different = [row for row in range(10) if array[row] != lines[row]]
    assert different == []
    wrong = []
    for number, (attempt, row) in enumerate(zip(array, rows, strict=True)):
        assert isinstance(attempt, RedTeamAttempt)
        score = row.pop("task_descripton_harmlessness_score")
        expected = row | {"task_description_harmlessness_score": score}
        fields = attempt.metadata() | {"transcript": str(attempt.transcript)}
        if (
            fields != expected
            or attempt.extra
            or attempt != parse_red_team(row | {"task_descripton_harmlessness_score": score})
        ):
            wrong.append(number)
    assert wrong == []


def test_red_team_rows_are_written_equally_from_both_files(data: Path, tmp_path: Path) -> None:
    """Either file gives ten records, byte for byte the same, with the plain reading's messages."""
    outputs = [tmp_path / "array.jsonl", tmp_path / "lines.jsonl"]
    summaries = [
        convert(data / name, output, to="messages") for name, output in zip((ARRAY, LINES), outputs, strict=True)
    ]

    assert [(s.rows_in, s.rows_out, s.rows_set_aside) for s in summaries] == [(10, 10, 0)] * 2
    same = outputs[0].read_bytes() == outputs[1].read_bytes()
    assert same
    rows = json.loads((data / ARRAY).read_bytes())
    wrong = [
        number
        for number, (record, row) in enumerate(zip(_records(outputs[0]), rows, strict=True))
        if record["messages"] != _plain_messages(_plain(row["transcript"]))
    ]
    assert wrong == []
