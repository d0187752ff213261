from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import turnparse
from benchmarks import baselines, contenders, files, hostile, inputs, measure, memory, reference, report, scale

ROOT = Path(__file__).parents[1]
ROWS = 300
NEED_NOTHING = ("turnparse convert_table", "turnparse parse_pair", "plain loop", "plain loop, 1,000 rows kept")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the documented command fills, of few rows and rounds."""
    folder = tmp_path_factory.mktemp("benchmark") / "results"
    command = [sys.executable, "-m", "benchmarks", "--rows", str(ROWS), "--rounds", "2", "--output", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def figures(results: Path) -> dict[str, Any]:
    """Return the figures of that run."""
    found: dict[str, Any] = json.loads((results / "benchmark.json").read_text())
    return found


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the input of a run."""
    folder = tmp_path_factory.mktemp("pairs")
    inputs.write(folder, [], ROWS, None)
    return folder


@pytest.mark.parametrize("name", NEED_NOTHING)
def test_every_row_in_memory_is_right(figures: dict[str, Any], name: str) -> None:
    """The calls of turnparse and the plain loop get every row right, and have a rate to show."""
    (line,) = (line for line in figures["memory"] if line["contender"] == name)

    assert (line["right"], line["wrong"], line["lost"]) == (ROWS, 0, 0)
    assert line["rows_per_s_best"] >= line["rows_per_s"] > 0


def test_every_row_in_files_is_right(figures: dict[str, Any]) -> None:
    """The files that come out hold every row, or the table says why there is none."""
    lines = {line["contender"]: line for line in figures["files"]}
    ran = [line for line in lines.values() if "failure" not in line]

    assert [(line["right"], line["wrong"], line["lost"]) for line in ran] == [(ROWS, 0, 0)] * len(ran)
    assert {contenders.PLAIN_FILES.name, "copy"} <= {line["contender"] for line in ran}
    assert any(line["contender"].startswith(files.TURNPARSE) for line in ran)


def test_share_by_column(figures: dict[str, Any]) -> None:
    """Of rows drawn at the real rate of oddities nearly all are finished by column."""
    (line,) = (line for line in figures["memory"] if line.get("regular"))

    assert line["contender"] == "turnparse convert_table"
    assert 0.97 < line["regular"] < 1


def test_report_says_where_and_how(results: Path, figures: dict[str, Any]) -> None:
    """The report names the command, the versions and every contender, also those that are not installed."""
    text = (results / "benchmark.md").read_text()

    assert f"python -m benchmarks --rows {ROWS}" in text
    assert figures["made"]["versions"]["pyarrow"] == pa.__version__
    needs = {one.name: one.needs for one in contenders.CONTENDERS} | {one.name: one.needs for one in contenders.FILES}
    for name, needed in needs.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \|.*$", text, flags=re.MULTILINE)
        assert not memory.missing(needed) or "pip install" in row


def test_plot(results: Path, figures: dict[str, Any]) -> None:
    """The plot is well-formed, with a bar for each contender that ran."""
    plot = ET.fromstring((results / "benchmark.svg").read_text())  # noqa: S314 (it is our own)
    ran = [line for line in figures["memory"] + figures["files"] if "failure" not in line]

    assert len([1 for element in plot if element.get("class") in {"ours", "other"}]) == len(ran)


def test_a_wrong_contender_is_caught(pairs: Path) -> None:
    """Rows that come out otherwise are counted as wrong."""

    def upper(chosen: str, rejected: str) -> baselines.Parts:
        prompt, left, right = baselines.plain_messages(chosen, rejected)
        if "7" in chosen[:20]:
            left = [message | {"content": message["content"].upper()} for message in left]
        return prompt, left, right

    texts = [row["chosen"] for row in _rows(pairs)]
    changed = sum("7" in text[:20] for text in texts)
    found = memory.measured(pairs / "pairs.arrow", contenders.Contender("wrong", lambda: upper))

    assert 0 < found["wrong"] <= changed
    assert (found["right"] + found["wrong"], found["lost"]) == (ROWS, 0)


def test_a_contender_that_crashes_is_caught(pairs: Path) -> None:
    """Rows that raise are counted as lost, and the others are timed and checked all the same."""

    def picky(chosen: str, rejected: str) -> baselines.Parts:
        if chosen.startswith("\n\nHuman: 5"):
            raise ValueError(chosen)
        return baselines.plain_messages(chosen, rejected)

    crashes = sum(row["chosen"].startswith("\n\nHuman: 5") for row in _rows(pairs))
    found = memory.measured(pairs / "pairs.arrow", contenders.Contender("picky", lambda: picky))

    assert crashes > 0
    assert (found["right"], found["wrong"], found["lost"]) == (ROWS - crashes, 0, crashes)


def test_an_output_without_a_row_is_caught(pairs: Path, tmp_path: Path) -> None:
    """A file that lacks one row and has two others exchanged is short of one, and has one out of order."""
    output = tmp_path / "out.parquet"
    made = [dict(zip(baselines.PARTS, baselines.plain_messages(**row), strict=True)) for row in _rows(pairs)]
    del made[100]
    made[10], made[11] = made[11], made[10]
    pq.write_table(pa.Table.from_pylist(made), output)

    assert files.check(pairs / "pairs.jsonl.gz", output) == {"rows": ROWS, "right": ROWS - 2, "wrong": 1, "lost": 1}


def test_made_rows_are_unique_and_as_real_ones() -> None:
    """No row is there twice; their length, turns and oddities are about those of the published files."""
    rows = list(inputs.dialogues(5000))
    turns = [len(reference.messages(chosen)) for chosen, _ in rows]

    assert len(set(rows)) == len(rows)
    assert 600 < sum(len(text.encode()) for row in rows for text in row) / len(rows) / 2 < 800
    assert 4.5 < sum(turns) / len(turns) < 5.5
    odd = sum(bool(turnparse.parse_pair(*row).codes) for row in rows)
    assert 0.004 < odd / len(rows) < 0.012


def test_rows_of_files_are_unique(tmp_path: Path) -> None:
    """The user's own rows are repeated to the size that was asked for, each with a number of its own."""
    source = tmp_path / "mine.jsonl"
    source.write_text(
        json.dumps({"chosen": "\n\nHuman: Hi\n\nAssistant: A", "rejected": "\n\nHuman: Hi\n\nAssistant: B"})
    )
    made = inputs.write(tmp_path, [str(source)], 50, None)
    rows = _rows(tmp_path)

    assert made["rows"] == len(rows) == len({row["chosen"] for row in rows}) == 50
    assert rows[7] == {"chosen": "\n\nHuman: 7 Hi\n\nAssistant: A", "rejected": "\n\nHuman: 7 Hi\n\nAssistant: B"}


def test_reference_reads_the_sample_as_turnparse_does() -> None:
    """The reference agrees with turnparse on every row of the sample, which has every oddity."""
    call = baselines.turnparse_rows()

    for chosen, rejected in inputs.sample_pairs():
        assert call(chosen, rejected) == reference.parts(chosen, rejected)


def test_a_failed_command_is_reported() -> None:
    """What a command that failed said last is kept, and one that takes too long is stopped."""
    failed = measure.run([sys.executable, "-c", "raise SystemExit('no such thing')"])
    late = measure.run([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.3)

    assert failed.failure == "no such thing"
    assert late.failure == "stopped after 0.3 s"


UNCOUNTED = r"""
import signal, subprocess, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
burn = "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(0.3)"
held = "import time; held = bytearray(50_000_000); time.sleep(0.5)"
children = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for code in (burn, held)]
time.sleep(0.3)
if sys.argv[1] == "wait":
    children[0].wait()
"""


@pytest.mark.skipif(not measure.PROC.is_dir(), reason="seen in /proc")
@pytest.mark.parametrize("outlived", ["wait", "leave"])
def test_what_nobody_waits_for_is_measured(outlived: str) -> None:
    """Time and memory of processes of which the kernel tells nobody, also if they outlive who started them, are counted."""
    used = measure.run([sys.executable, "-c", UNCOUNTED, outlived])

    assert used.failure == ""
    assert used.cpu > 0.5
    if outlived == "wait":
        assert used.pss is not None
        assert used.mapped is not None
        assert used.pss > 50 + used.mapped > 50


def test_what_is_asked_is_answered_where_both_ran(figures: dict[str, Any]) -> None:
    """The ratios that are asked for are those of the tables, and empty where nobody ran to compare with."""
    found = report.ratios(figures)
    medians = {line["contender"]: line.get("cpu_s") for line in figures["memory"]}

    assert list(found) == [question for question, *_ in report.RATIOS]
    assert next(iter(found.values())) == medians["plain loop"] / medians["turnparse convert_table"]
    assert (found[report.RATIOS[1][0]] is None) == (medians["pychatml to_chatml"] is None)


def test_ratio_is_that_of_the_same_round() -> None:
    """A contender that takes twice the plain loop's time in a slow round and in a fast one has half its rate."""
    done = {"rows": 10, "right": 10, "wrong": 0, "lost": 0, "peak": 2.0, "before": 1.0, "first": 9.0}
    rounds = {"plain": [done | {"cpu": 1.0}, done | {"cpu": 3.0}], "slow": [done | {"cpu": 2.0}, done | {"cpu": 6.0}]}
    _, slow = report.lines(rounds, 1_000_000, {}, "plain")

    assert slow["times_plain"] == 0.5


def test_scale_asks_every_question() -> None:
    """Each question of growth, shapes and workers has figures, or says why not; a small answer is a right one."""

    def make(folder: Path, rows: int | None, megabytes: float | None) -> dict[str, Any]:
        return inputs.write(folder, [], rows or int(100 * (megabytes or 1)), None)

    found = scale.questions(make, rows=200, gigabytes=0.001, megabytes=1)
    by_row, memory_of, shapes, _ = found.values()

    assert by_row[0]["right"] == 200
    assert len(memory_of) == 2
    assert [shape["shape"] for shape in shapes if shape["rows"] == shape["rows out"]] == list(hostile.SHAPES)
    assert all(set(row) & {"wall s", "failure", "ns/byte", "right"} for rows in found.values() for row in rows)
    for title, rows in found.items():
        assert report.plain_table(rows).count("\n") == len(rows) + 2, title


def _rows(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / "pairs.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]
