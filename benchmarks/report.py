"""What was measured, as figures, as a table for people, and as a plot."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.memory import PASSES

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("turnparse", "pyarrow", "numpy", "orjson", "isal", "pychatml", "trl", "torchtune", "datasets")

Rounds = Mapping[str, Sequence[Mapping[str, Any]]]
Line = dict[str, Any]


def facts(module: str, packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return what was measured where: commit, the versions of *packages*, machine, the command, which runs *module*, and when."""
    return {
        "commit": _said("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in packages},
        "machine": {
            "system": platform.platform(),
            "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
            "cpus": len(_cpus()),
            "memory": _field("/proc/meminfo", "MemTotal"),
            "load": _load(),
        },
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def where(made: Mapping[str, Any]) -> str:
    """Return the lines that say what `facts` has found; where it was written is nobody's concern."""
    machine, versions = made["machine"], made["versions"]
    return f"""Command: `{made["command"].split(" --output")[0]}`; {made["date"]}; commit {made["commit"]}.
Machine: {machine["processor"]}, {machine["cpus"]} CPUs, {machine["memory"]}, {machine["system"]}; load {machine["load"]} at the start.
Versions: {", ".join(f"{name} {number}" for name, number in versions.items())}."""


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _cpus() -> Sequence[int]:
    import os

    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _load() -> list[float]:
    import os

    return [round(load, 2) for load in os.getloadavg()]


def lines(rounds: Rounds, size: int, notes: Mapping[str, str], base: str) -> list[Line]:
    """Return a line of figures for each contender of *rounds*, of rows of *size* bytes in all.

    A ratio is that of the CPU times of *base* and the contender in one round; of the ratios of the rounds, the median.
    """
    return [_line(name, records, size, notes.get(name, ""), rounds[base]) for name, records in rounds.items()]


def _line(
    name: str, records: Sequence[Mapping[str, Any]], size: int, note: str, base: Sequence[Mapping[str, Any]]
) -> Line:
    line: Line = {"contender": name, "note": note}
    if failed := [record["failure"] for record in records if "failure" in record]:
        return line | {"failure": failed[0]}
    last = records[-1]
    cpu, rows = [record["cpu"] for record in records], last["rows"]
    ratios = [one["cpu"] / other["cpu"] for one, other in zip(base, records, strict=False) if "cpu" in one]
    line |= {
        "rows_per_s": rows / median(cpu),
        "rows_per_s_best": rows / min(cpu),
        "mb_per_s": size / 1e6 / median(cpu),
        "cpu_s": median(cpu),
        "cpu_s_min": min(cpu),
        "times_plain": median(ratios) if ratios else None,
    }
    if "wall" in last:
        wall = [record["wall"] for record in records]
        pss = max(record["pss"] or 0 for record in records) or None
        line |= {"wall_s": median(wall), "wall_s_min": min(wall)}
        line |= {"peak_mb": max(record["rss"] for record in records), "pss_mb": pss}
    else:
        line |= {"first_s": median(record["first"] for record in records)}
        line |= {"peak_mb": max(record["peak"] for record in records)}
        line |= {"above_input_mb": max(record["peak"] - record["before"] for record in records)}
    # A row counts as right only if it was right in every round.
    worst = min(records, key=lambda record: (record["right"], -record["lost"]))
    return line | {field: worst[field] for field in ("right", "wrong", "lost")} | {"regular": last.get("regular")}


COMMON: Final = [
    ("rows_per_s", "rows/s", ",.0f"), ("rows_per_s_best", "best", ",.0f"), ("mb_per_s", "MB/s", ",.0f"),
    ("times_plain", "times plain loop", ".2f"), ("cpu_s", "CPU s", ".3f"), ("cpu_s_min", "least", ".3f"),
]  # fmt: skip
CHECKED: Final = [("right", "right", ",d"), ("wrong", "wrong", ",d"), ("lost", "lost", ",d")]
MEMORY: Final = [
    *COMMON, ("first_s", "first pass", ".3f"), ("peak_mb", "peak MB", ",.0f"), ("above_input_mb", "above its input", ",.0f"), *CHECKED,
    ("regular", "by column", ".1%"),
]  # fmt: skip
FILES: Final = [
    *COMMON, ("wall_s", "wall s", ".2f"), ("wall_s_min", "least", ".2f"), ("peak_mb", "max RSS MB", ",.0f"),
    ("pss_mb", "peak PSS MB", ",.0f"), *CHECKED,
]  # fmt: skip


def table(found: Sequence[Line], columns: Sequence[tuple[str, str, str]]) -> str:
    """Return a Markdown table, the fastest contender first."""
    order = sorted(found, key=lambda line: -line.get("rows_per_s", 0))
    rows = [["contender", "what it does", *(title for _, title, _ in columns)]]
    rows += [["---", "---", *("---:" for _ in columns)]]
    for line in order:
        if "failure" in line:
            rows.append([line["contender"], line["failure"].replace("|", "/"), *("" for _ in columns)])
            continue
        cells = ["" if line.get(key) is None else format(line[key], form) for key, _, form in columns]
        rows.append([line["contender"], line["note"], *cells])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


RATIOS: Final = (
    # What is asked, the table, a figure of it, the contenders above the line, and those below: the least of each counts.
    ("CPU time in memory: the plain loop by convert_table", "memory", "cpu_s", ["plain loop"], ["turnparse convert_table"]),
    ("CPU time in memory: the fastest other that parses all turns by convert_table", "memory", "cpu_s",
     ["pychatml to_chatml"], ["turnparse convert_table"]),
    ("wall time of files: datasets by convert", "files", "wall_s",
     ["datasets map, num_proc=1", "datasets map, num_proc=2"], ["turnparse convert"]),
    ("CPU time of files, one thread: convert by copy", "files", "cpu_s", ["turnparse convert, --workers 1"], ["copy"]),
)  # fmt: skip


def ratios(result: Mapping[str, Any]) -> dict[str, float | None]:
    """Return {what is asked: a ratio of medians}; None where a contender did not run."""
    found: dict[str, float | None] = {}
    for question, table_, figure, above, below in RATIOS:
        figures = {line["contender"]: line.get(figure) for line in result[table_]}
        over, under = ([figures[name] for name in names if figures.get(name)] for names in (above, below))
        found[question] = min(over) / min(under) if over and under else None
    return found


def markdown(result: Mapping[str, Any]) -> str:
    """Return the whole report."""
    made, given = result["made"], result["input"]
    text = f"""# Benchmark

{where(made)}

Input: {given["rows"]:,} pairs, {given["bytes"] / 1e6:,.1f} MB of text ({given["bytes_per_transcript"]:,} bytes a transcript),
made of {given["made_of"]}; every row is made unique by a number; odd rows: {given["odd_rows"]}.
{made["rounds"]} rounds, each contender once a round and in a process of its own. Rates are rows (and MB of text) by second of CPU
time, of the median round; *best* and *least* are of the fastest. *times plain loop* is the ratio of CPU times within a round, the
median of the rounds. Every row that came out is compared with a plain reading of the input that is none of the contenders'.

## In memory: pairs to prompt, chosen and rejected

One core; only the calls are timed. A process makes {PASSES} passes over all rows, of which the best counts; *first pass* is the median of
the first ones, in which the system hands out the memory, at a pace that varies by machine. What is kept of the results is said; else each is
dropped at once, and made once more for the check.

{table(result["memory"], MEMORY)}
## Files: gzipped JSON lines to Parquet

Whole processes, start and imports included. Each writes zstd level 3, the dictionary on roles alone, unless it says otherwise.

{table(result["files"], FILES)}"""
    asked = [{"ratio of medians": question, "is": ratio} for question, ratio in ratios(result).items()]
    text += "\n## Ratios\n\n" + plain_table(asked)
    for title, rows in result.get("scale", {}).items():
        text += f"\n## {title}\n\n" + plain_table(rows)
    return text


def plain_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of all that *rows* hold."""
    titles = list(dict.fromkeys(key for row in rows for key in row))
    cells = [titles, ["---"] * len(titles), *([_cell(row.get(title)) for title in titles] for row in rows)]
    return "".join("| " + " | ".join(row) + " |\n" for row in cells)


WHOLE: Final = 1000


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= WHOLE else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value).replace("|", "/")


BAR, WIDTH, LEFT, ROOM = 22, 960, 290, 330


def svg(result: Mapping[str, Any]) -> str:
    """Return a plot of both tables: rows by second of CPU time, and how many of them were right."""
    body: list[str] = []
    at = 30
    for title, key in (("In memory: rows per CPU second", "memory"), ("Files: rows per CPU second", "files")):
        ran = sorted((line for line in result[key] if "failure" not in line), key=lambda line: -line["rows_per_s"])
        body.append(f'<text x="16" y="{at}" class="title">{title}</text>')
        at += 8
        for line in ran:
            at += BAR + 6
            body.append(_bar(line, at, line["rows_per_s"] / ran[0]["rows_per_s"]))
        at += 2 * BAR
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at - BAR}" role="img" aria-label="rows per CPU second">
<style>text {{ font: 13px sans-serif; fill: #222 }} .title {{ font-weight: bold }} .ours {{ fill: #1a7f5a }} .other {{ fill: #9aa5b1 }}</style>
<rect width="{WIDTH}" height="{at}" fill="#fff"/>
{chr(10).join(body)}
</svg>
"""


def _bar(line: Line, at: int, share: float) -> str:
    width = max(1.0, share * (WIDTH - LEFT - ROOM))
    right = "all right" if not line["wrong"] + line["lost"] else f"{line['wrong'] + line['lost']:,} wrong or lost"
    note = ", " + line["note"].partition(":")[0] if line["note"].startswith("no parse") else ""
    label = f"{line['rows_per_s']:,.0f}, {right}{note}"
    kind = "ours" if line["contender"].startswith("turnparse") else "other"
    middle = at - BAR // 2 + 4
    return (
        f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(line["contender"])}</text>'
        f'<rect x="{LEFT}" y="{at - BAR}" width="{width:.1f}" height="{BAR}" class="{kind}"/>'
        f'<text x="{LEFT + width + 8:.1f}" y="{middle}">{escape(label)}</text>'
    )


def save(result: Mapping[str, Any], folder: Path) -> str:
    """Write the result as JSON, Markdown and SVG into *folder*; return the Markdown."""
    import orjson

    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(result)
    (folder / "benchmark.json").write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    (folder / "benchmark.md").write_text(text, encoding="utf-8")
    (folder / "benchmark.svg").write_text(svg(result), encoding="utf-8")
    print(f"written to {folder}: benchmark.json, benchmark.md, benchmark.svg", file=sys.stderr)
    return text
