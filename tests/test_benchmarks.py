from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnparse
from benchmarks import (
    against,
    baselines,
    contenders,
    engines,
    files,
    hostile,
    inputs,
    measure,
    memory,
    model,
    reference,
    report,
    same_rows,
    scale,
    shards,
    stage_clock,
    stages,
    worker,
)

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


def test_shards_hold_all_lines(pairs: Path, tmp_path: Path) -> None:
    """Dealt out to shards of either kind, and linked under more names, all rows are there, as often as there are names."""
    lines = gzip.decompress((pairs / "pairs.jsonl.gz").read_bytes()).splitlines(keepends=True)
    size = shards.make(pairs / "pairs.jsonl.gz", tmp_path / "made", 7)
    shards.linked(tmp_path / "made" / shards.LINES, tmp_path / "linked", 3)
    dealt = [gzip.decompress(path.read_bytes()) for path in sorted((tmp_path / "linked").iterdir())]
    tables = [pq.read_table(path) for path in (tmp_path / "made" / shards.TABLES).iterdir()]

    assert size == sum(map(len, lines))
    assert len(dealt) == 21
    assert sorted(b"".join(dealt).splitlines(keepends=True)) == sorted(lines * 3)
    assert sorted(row["chosen"] for table in tables for row in table.to_pylist()) == sorted(
        json.loads(line)["chosen"] for line in lines
    )


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def parts(*rows: str) -> pa.Table:
    """Return a table with a question and two answers for each of *rows*."""
    made = [
        [[{"role": role, "content": f"{role[0]} {row}"}] for row in rows] for role in ("user", "assistant", "system")
    ]
    return pa.table([pa.array(column, MESSAGES) for column in made], list(baselines.PARTS))


def test_the_same_rows_are_known_in_any_order_format_and_division(tmp_path: Path) -> None:
    """One digest tells rows that are the same from ones of which one is lost, there twice, or another."""

    def digest(name: str, *tables: pa.Table) -> dict[str, Any]:
        (tmp_path / name).mkdir()
        for number, table in enumerate(tables):
            pq.write_table(table, tmp_path / name / f"{number}.parquet")
        return same_rows.of_files(tmp_path / name)

    whole = digest("whole", parts("a", "b", "c", "c"))
    (tmp_path / "lines").mkdir()
    rows = parts("c", "a", "b", "c").to_pylist()
    (tmp_path / "lines" / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "lines" / "x.jsonl.set-aside.jsonl").write_text("{}\n")
    reasons = pa.array([None, {"codes": ["empty"]}], pa.struct([("codes", pa.list_(pa.string()))]))

    assert whole["rows"] == 4
    assert digest("parts", parts("c", "b"), parts("c", "a")) == whole
    assert same_rows.of_files(tmp_path / "lines") == whole | {"set aside": 1}
    column = digest("column", parts("a", "b", "c"), parts("c", "z").append_column("set_aside", reasons))
    assert column == whole | {"set aside": 1}
    for name, others in {"lost": "abc", "twice": "abbc", "other": "abcd"}.items():
        assert digest(name, parts(*others))["digest"] != whole["digest"]


def test_engines_are_held_against_the_local_runner(pairs: Path, tmp_path: Path) -> None:
    """Local runs make the same bytes with one worker and two; one that loses a row is told, and has no word in the table."""
    shards.make(pairs / "pairs.jsonl.gz", tmp_path / engines.SMALL, 3)
    local = [one for one in engines.contenders() if one.name.endswith(("1 worker", "2 workers"))]
    thief = engines.Contender(
        "thief", (sys.executable, "-c", THIEF), reads=shards.TABLES, writes=shards.TABLES, is_exact=False
    )
    measured = engines.Measured(tmp_path, {one: {} for one in (*local, thief)})
    measured.round(engines.SMALL)
    lines = {(one["contender"], one["writes"], one["reads"]): one["small"] for one in engines.lines(measured.runs)}

    assert len(local) == 6
    assert [line["same"] for line in lines.values()] == [True] * 6 + [False]
    assert all(line["rows"] + line["set aside"] == ROWS for (name, *_), line in lines.items() if name != "thief")
    assert all(line["cpu"] > 0 and line["pss"] > 0 for line in lines.values())
    sizes = {engines.SMALL: {"label": "300 rows"}}
    table = engines.table({"engines": engines.lines(measured.runs), "sizes": sizes}).splitlines()
    assert [row.split(" | ")[-1] for row in table[2:8]] == ["the same |"] * 6
    assert "OTHERS" in table[8]


THIEF = """
import sys, pyarrow.parquet as pq, turnparse, pathlib
table = pq.read_table(sys.argv[1])
pathlib.Path(sys.argv[2]).mkdir()
pq.write_table(turnparse.Converter()(table.slice(1)), f"{sys.argv[2]}/x.parquet")
"""


def test_medians_of_runs() -> None:
    """Of several runs the table has the median of the times and the most of the memory, and a failure if one failed."""
    same = {"rows": 1, "set aside": 0, "digest": "d", "bytes": "b", "files": 1, "same": True}
    runs = [same | {"cpu": cpu, "wall": 2 * cpu, "pss": 10 - cpu, "mapped": cpu} for cpu in (3.0, 1.0, 2.0)]
    one = engines.Contender("one", (), "jsonl.gz", "jsonl")
    (line,) = engines.lines({one: {"small": runs, "large": [runs[0], {"failure": "it fell", "same": False}]}})

    found = line["small"]
    assert (found["cpu"], found["wall"], found["pss"], found["mapped"], found["same"]) == (2, 4, 9, 1, True)
    assert line["large"] == {"failure": "it fell"}


@given(st.lists(st.tuples(st.sampled_from(["begin", "end", "work"]), st.integers(0, 9))))
def test_stages_add_up(steps: list[tuple[str, int]]) -> None:
    """Whatever begins inside what, every moment is that of one stage: the innermost."""
    time, open_stages = [0.0], [stage_clock.REST]
    clock = stage_clock.Clock(lambda: time[0])
    expected = dict.fromkeys(stage_clock.STAGES, 0.0)
    with ExitStack() as stack:
        stages_open: list[ExitStack] = []
        for step, number in steps:
            if step == "begin":
                stages_open.append(stack.enter_context(ExitStack()))
                open_stages.append(stage_clock.STAGES[number])
                stages_open[-1].enter_context(clock.stage(open_stages[-1]))
            elif step == "end" and stages_open:
                stages_open.pop().close()
                open_stages.pop()
            elif step == "work":
                time[0] += number
                expected[open_stages[-1]] += number

    assert clock.seconds() == expected


def test_what_draws_is_not_counted_to_what_is_drawn() -> None:
    """Time that goes by while an item is used is not that of the stage that gives the next one."""
    time = [0.0]
    clock = stage_clock.Clock(lambda: time[0])

    def items() -> Iterator[int]:
        for number in range(3):
            time[0] += 1
            yield number
        time[0] += 1

    for _ in clock.drawn(stage_clock.UNZIP, items()):
        time[0] += 10

    seconds = clock.seconds()
    assert (seconds[stage_clock.UNZIP], seconds[stage_clock.REST]) == (4, 30)


@pytest.mark.parametrize("written", ["jsonl", "jsonl.gz", "parquet"])
def test_every_stage_is_seen(pairs: Path, tmp_path: Path, written: str) -> None:
    """The doors are where the clock looks for them: a conversion has time in every stage that it goes through, and writes what it writes."""
    source = pairs / "pairs.jsonl.gz"
    found = worker.answer("stages", str(source), str(tmp_path / f"out.{written}"), {})
    turnparse.convert(source, tmp_path / f"plain.{written}", workers=1)

    assert [stage for stage in stage_clock.STAGES if found["seconds"][stage] <= 0] == []
    assert (tmp_path / f"out.{written}").read_bytes() == (tmp_path / f"plain.{written}").read_bytes()
    assert (found["rows"], found["in"]) == (ROWS, source.stat().st_size)
    assert found["out"] == (tmp_path / f"plain.{written}").stat().st_size


def test_an_upload_is_written_here_first(pairs: Path) -> None:
    """What goes elsewhere is written once here, and read again from here."""
    found = worker.answer("stages", str(pairs / "pairs.jsonl.gz"), stages.STORE, {})

    if "wchar" in found:
        assert found["out"] <= found["wchar"] < 1.5 * found["out"]
        assert found["in"] + found["out"] <= found["rchar"] < found["in"] + 1.5 * found["out"]


def test_questions_of_workers(pairs: Path, tmp_path: Path) -> None:
    """Long rows are about as long as is asked for; memory and manifests have figures."""
    path = str(tmp_path / "long.jsonl")
    made = worker.long_rows(400_000, 3, path)
    source = str(pairs / "pairs.jsonl.gz")

    assert 0.2 < made["row, MB"] < 0.8
    assert worker.answer("memory", path, 1)["peak MB"] > 50
    assert worker.answer("memory", source, 2, 1 << 16)["peak MB"] > 50
    batches = [worker.answer("batches", str(pairs / "pairs.arrow"), rows) for rows in (10, 300)]
    assert batches[0]["CPU s by GB"] > batches[1]["CPU s by GB"] > 0
    few, many = (worker.manifest(source, outputs) for outputs in (2, 20))
    assert many["MB"] == pytest.approx(10 * few["MB"], rel=0.1)
    assert few["bytes an output"] > 500


def test_estimate() -> None:
    """Ten TB that unzip to forty, at 9 s a GB, are 100 CPU hours; on a thousand workers, forty shards each, six minutes."""
    costs = model.Costs(
        by_gigabyte=9, by_shard=0.002, driver=0.002, read=0.25, written=0.5, entry=2000, manifest=1e-4, worker=200
    )
    found = model.estimate(costs, terabytes=10, workers=1000, shard=250)

    assert (found.json, found.shards, found.written) == (40, 40_000, 20)
    assert found.one == pytest.approx(9)
    assert found.wall == pytest.approx(0.1)
    assert found.driver == pytest.approx(80 / 3600)
    assert found.cpu == pytest.approx(100 + 80 / 3600)
    assert found.rate == pytest.approx(30_000 / 360)
    assert (found.memory, found.manifest, found.save) == (200, 80, 4)


def test_estimate_of_few_shards_and_of_many() -> None:
    """Fewer shards than workers leave workers idle; each shard has a cost of its own, and of many the driver is the last to end."""
    costs = model.Costs(
        by_gigabyte=9, by_shard=0.01, driver=0.002, read=0.25, written=0.5, entry=2000, manifest=1e-4, worker=200
    )
    few, many = (model.estimate(costs, terabytes=1, workers=1000, shard=shard) for shard in (10_000, 1))

    assert few.shards == 100
    assert few.wall == pytest.approx((10 / 0.25 * 9 + 0.008) / 3600)
    assert many.cpu == pytest.approx((4000 * 9 + 1_000_000 * 0.01) / 3600)
    assert many.wall == many.driver == pytest.approx(2000 / 3600)


def test_ratios_are_those_of_pairs() -> None:
    """A machine that is twice as slow in one pair changes no ratio."""
    found = against.figures([(1.1, 1.0), (2.2, 2.0), (1.2, 1.0)])

    assert found["here by there"] == pytest.approx(1.1)
    assert (found["least"], found["most"]) == (pytest.approx(1.1), 1.2)


def test_the_other_side_is_another(tmp_path: Path) -> None:
    """Each side runs the turnparse of its own checkout, wherever it is started; another's is noticed."""
    (tmp_path / "turnparse").mkdir()
    (tmp_path / "turnparse" / "__init__.py").touch()
    against.Side(tmp_path).require_own()
    against.Side(report.ROOT).require_own()

    (tmp_path / "turnparse" / "__init__.py").unlink()
    (tmp_path / "turnparse").rmdir()
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        against.Side(tmp_path).require_own()


def _rows(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / "pairs.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]
