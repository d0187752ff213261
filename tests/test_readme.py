"""The README tells the truth: its commands and snippets run, and its tables are those of the code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling
from fences import ENGINES, FENCES, README, ROOT
from turnparse import CODES
from turnparse._codes import PRESETS
from turnparse._target import targets

TEST_COMMAND = "-m pytest"


def test_fences_are_marked() -> None:
    """Every fence names a language that is run, or is `text`, and none is marked to be skipped.

    What needs an engine is run by tests/engines.
    """
    assert README.count("```") == 2 * len(FENCES)
    assert {language for language, _ in FENCES} == {"bash", "python", "text", *(f"python {name}" for name in ENGINES)}


@pytest.fixture(scope="module")
def fresh_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an otherwise empty folder with what a checkout has: no environment, nothing built."""
    folder = tmp_path_factory.mktemp("fresh") / "turnparse"
    ignored = shutil.ignore_patterns(*(ROOT / ".gitignore").read_text().replace("/", "").split(), ".git")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


def test_every_fence_runs(fresh_checkout: Path, tmp_path: Path) -> None:
    """All commands and snippets run, in their order, in a fresh checkout; a test command collects its tests.

    They are this very suite, which the project's CI runs by the same command: to run it inside itself would never end.
    """
    (tmp_path / "python3").symlink_to(sys.executable)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    inner = {"PATH": path, "PYTEST_ADDOPTS": "--collect-only -q -W ignore", "PYTHONPATH": ""}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    commands = [
        (language, line)
        for language, body in FENCES
        if language in {"bash", "python"}
        for line in (body.splitlines() if language == "bash" else [body])
    ]
    for language, code in commands:
        shell = ["bash", "-euo", "pipefail", "-c", code]
        command = shell if language == "bash" else [".venv/bin/python", "-c", code]
        result = subprocess.run(
            command, cwd=fresh_checkout, env=environment | inner, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{code}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    assert (fresh_checkout / "pairs.trl.jsonl").stat().st_size > 0


def test_output_shown_is_what_is_printed(tmp_path: Path) -> None:
    """The summary line that the README shows is the one that the first command prints."""
    sample = ROOT / "turnparse" / "samples" / "pairs.jsonl"
    command = [sys.executable, "-m", "turnparse", "convert", str(sample), "--to", "trl", "--output"]
    result = subprocess.run([*command, str(tmp_path / "x.jsonl")], capture_output=True, text=True, check=True)

    assert result.stderr.splitlines()[0] in README


@pytest.mark.parametrize(
    "command",
    [
        "check turnparse/samples/damaged.jsonl",
        "show turnparse/samples/pairs.jsonl:83",
        "stats turnparse/samples/pairs.jsonl",
    ],
)
def test_views_shown_are_what_is_printed(command: str) -> None:
    """What the README shows of a check, of rows, and of figures, is what its commands print."""
    (line,) = [line for _, body in FENCES for line in body.splitlines() if f"turnparse {command}" in line]
    arguments = shlex.split(line.partition("||")[0])[1:]
    result = subprocess.run(
        [sys.executable, "-m", "turnparse", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.stdout.strip()
    assert ("text", result.stdout.rstrip("\n") + "\n") in FENCES


def codes_table() -> str:
    """Return the README's table of codes as the code has it."""
    header = ["code", *(f"`{preset}`" for preset in PRESETS), "policy values", "meaning"]
    rows = [header, ["---"] * len(header)]
    for code in CODES.values():
        values = code.presets or ("",) * len(PRESETS)
        rows.append([f"`{code.name}`", *values, ", ".join(code.choices), code.meaning])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def test_codes_table() -> None:
    """The README's table of codes is the code's."""
    shown = re.search(r"by a test -->\n(.*?)<!-- end of codes -->", README, flags=re.DOTALL)

    assert shown is not None
    assert codes_table() == shown[1]


def targets_table() -> str:
    """Return the README's table of targets as the code has it."""
    header = ["target", "rows", "columns", "for"]
    rows = [header, ["---"] * len(header)]
    for target in targets().values():
        columns = ", ".join(f"`{column}`" for column in target.columns)
        metadata = "; metadata of attempts" if target.metadata else ""
        twice = "; two records a pair" if target.second is not None else ""
        rows.append(
            [
                f"`{target.name}`",
                ", ".join(target.takes),
                columns + metadata + twice,
                f"[{target.about}]({target.link})",
            ]
        )
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def test_targets_table() -> None:
    """The README's table of targets is the code's."""
    shown = re.search(r"<!-- targets: .*? -->\n(.*?)<!-- end of targets -->", README, flags=re.DOTALL)

    assert shown is not None
    assert targets_table() == shown[1]


PROVEN = ROOT / "tests" / "conformance" / "results.json"


def proven_table() -> str:
    """Return the README's table of what was checked with which consumer, as the saved results have it."""
    header = [
        "target",
        "rows in / out / set aside by default",
        "records read / as meant",
        "broken / noticed",
        "consumer",
        "called",
        "how",
    ]
    rows = [header, ["---"] * len(header)]
    results = json.loads(PROVEN.read_text(encoding="utf-8"))
    own = (found for found in results if found["consumer"] != "datasets")
    rows += [proven_row(f"`{found['target']}`", [found]) for found in own]
    rows.append(proven_row("every target", [found for found in results if found["consumer"] == "datasets"]))
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def proven_row(target: str, results: list[dict[str, Any]]) -> list[str]:
    """Return the table's row about *results* of one consumer."""
    sources = [source for found in results for source in found["sources"].values()]
    total = {count: sum(source[count] for source in sources) for count in COUNTS}
    out = total["rows"] - total["by_default"]
    consumer = results[0]
    return [
        target,
        f"{total['rows']:,} / {out:,} / {total['by_default']:,}",
        f"{total['records']:,} / {total['equal']:,}",
        f"{total['mutations']:,} / {total['caught']:,}",
        f"{consumer['consumer']} {consumer['version']}".strip(),
        f"`{consumer['function']}`",
        consumer["how"],
    ]


COUNTS = ("rows", "by_default", "records", "equal", "mutations", "caught")


def test_proven_table() -> None:
    """The README's table of checks is that of their saved results, and these are of every target, and all held."""
    shown = re.search(r"<!-- proven: .*? -->\n(.*?)<!-- end of proven -->", README, flags=re.DOTALL)
    results = json.loads(PROVEN.read_text(encoding="utf-8"))

    assert shown is not None
    assert proven_table() == shown[1]
    assert {found["target"] for found in results if found["consumer"] == "datasets"} == {*targets()}
    # The way back is read by turnparse itself.
    assert {found["target"] for found in results if found["consumer"] != "datasets"} == {*targets()} - {
        "hh",
        "hh-transcripts",
    }
    for found in results:
        for source in found["sources"].values():
            assert source["records"] == source["accepted"] == source["equal"]
            assert source["mutations"] == source["caught"]
        assert sum(source["mutations"] for source in found["sources"].values()) > 0


def test_ci_runs_the_readmes_commands() -> None:
    """CI installs and tests by the README's own lines, and lints and checks types as it says."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = [line for language, body in FENCES if language == "bash" for line in body.splitlines()]

    for word in ("--editable", "ruff", "mypy"):
        (line,) = [line for line in lines if word in line]
        assert line in ci.splitlines()


RESULTS = ROOT / "benchmarks" / "results"


def test_benchmark_is_quoted() -> None:
    """The README has every table of the benchmark's saved report, where and how it was measured, and its plot."""
    report = (RESULTS / "benchmark.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", report, flags=re.MULTILINE)
    (facts,) = re.findall(r"^Command:.*\nMachine:.*\nVersions:.*$", report, flags=re.MULTILINE)

    assert len(tables) >= 3
    assert [table for table in (*tables, facts) if table not in README] == []
    assert "](benchmarks/results/benchmark.svg)" in README
    assert (RESULTS / "benchmark.svg").read_text(encoding="utf-8").startswith("<svg")


def test_speed_of_targets_is_quoted() -> None:
    """The README names the command of the saved figures of all targets, and the least of them."""
    saved = json.loads((RESULTS / "targets.json").read_text(encoding="utf-8"))
    least = min(row[f"{ending} of trl"] for row in saved["targets"] for ending in ("jsonl", "parquet"))
    command = saved["made"]["command"].split(" --output")[0]

    assert f"`{command}`" in README
    assert f"{least} of the throughput of `trl`" in README
    assert {row["target"] for row in saved["targets"]} == {t.name for t in targets().values() if "pair" in t.takes}


def test_scaling_is_quoted() -> None:
    """The README says of engines, stages, many machines and checks what the saved figures say."""
    assert [said for said in scaling.everything() if said not in README] == []


def test_engines_made_the_same_rows() -> None:
    """All engines ran, on one row and on both sizes, and every row is there; what Ray makes for the command is the local runner's, byte by byte."""
    saved = scaling.saved("engines")
    exact: dict[tuple[str, str, str], set[str]] = {}
    for line in saved["engines"]:
        for size, given in saved["sizes"].items():
            found = line[size]
            assert found["same"] is True
            assert found["rows"] + found["set aside"] == given["rows"]
            if line["contender"].startswith("turnparse convert"):
                exact.setdefault((line["reads"], line["writes"], size), set()).add(found["bytes"])

    assert len(saved["engines"]) == 13
    assert len(exact) == 9
    assert all(len(digests) == 1 for digests in exact.values())
    assert saved["sizes"]["small"]["shards"] == 16
    assert saved["sizes"]["large"]["shards"] >= 128


def test_local_is_no_slower() -> None:
    """Of both routes, local takes within 5 % of the CPU time that it took before there were engines, and checks at most 10 %."""
    against = {(one["commit"], one["here"]): one["against"] for one in scaling.saved("against")}

    assert [row for row in against["11aebdf", ""] if row["here by there"] > 1.05 or row["pairs"] < 8] == []
    assert [row for row in against[scaling.BEFORE_CHECKS, "--no-manifest"] if row["here by there"] > 1.1] == []


def test_baselines_are_quoted_whole() -> None:
    """What turnparse is measured against stands in the README as it is in its file."""
    assert f"```python\n{(ROOT / 'benchmarks' / 'baselines.py').read_text(encoding='utf-8')}```\n" in README
