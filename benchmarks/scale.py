"""Whether what holds for a small file holds for a large one: time by row, memory, hostile shapes, several workers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import hostile, measure
from benchmarks.files import OPTIONS, digest
from benchmarks.memory import one_round
from benchmarks.shards import split

SHARDS: Final = 16
MEGABYTES: Final = 200.0
STEPS: Final = (100_000, 300_000, 1_000_000, 3_000_000)
CONVERT: Final = (sys.executable, "-m", "turnparse", "convert")

Made = dict[str, Any]
MakeInput = Callable[[Path, int | None, float | None], Made]


def questions(
    make_input: MakeInput, rows: int, gigabytes: float, megabytes: float = MEGABYTES
) -> dict[str, list[Made]]:
    """Return {question: a table}, measured once each.

    Args:
        make_input: writes input of so many rows, or megabytes, into a folder.
        rows: the most rows.
        gigabytes: the largest file.
        megabytes: of the small file, and of the shards; a hostile shape has a quarter of it on each side.
    """
    steps = [step for step in STEPS if step < rows] + [rows]
    return {
        "Growth: CPU time by row": [by_row(make_input, step) for step in steps],
        "Growth: memory of `turnparse convert`": [
            {"MB": size} | convert_memory(make_input, size) for size in (megabytes, gigabytes * 1000)
        ],
        "Hostile shapes: time by byte of `convert_table`": hostile.compare(megabytes / 4),
        f"Workers: `turnparse convert FOLDER`, {SHARDS} shards, {megabytes:g} MB": workers(make_input, megabytes),
    }


def _say(what: str) -> None:
    print(f"scale: {what}", file=sys.stderr, flush=True)


def convert(source: Path, folder: Path) -> measure.Usage:
    """Run `turnparse convert` on a file, to Parquet; return what it took."""
    return measure.run([*CONVERT, str(source), *OPTIONS, "--force", "--output", str(folder / "out.parquet")])


def by_row(make_input: MakeInput, rows: int) -> Made:
    """Return the CPU time by row in memory and of whole files, of which the start is left out: that of one row."""
    _say(f"{rows:,} rows")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_input(folder, rows, None)
        found = one_round(folder / "pairs.arrow", 0)
        usage = convert(folder / "pairs.jsonl.gz", folder)
        make_input(folder, 1, None)
        start = convert(folder / "pairs.jsonl.gz", folder)
    if failure := found.get("failure") or usage.failure or start.failure:
        return {"rows": rows, "failure": failure}
    return {
        "rows": rows,
        "convert_table us/row": found["cpu"] / rows * 1e6,
        "right": found["right"],
        "convert us/row": (usage.cpu - start.cpu) / rows * 1e6,
        "start s": start.cpu,
    }


def convert_memory(make_input: MakeInput, megabytes: float) -> Made:
    """Return the most memory of a conversion of so many megabytes of text."""
    _say(f"{megabytes:,g} MB")
    with tempfile.TemporaryDirectory() as name:
        made = make_input(Path(name), None, megabytes)
        usage = convert(Path(name) / "pairs.jsonl.gz", Path(name))
    figures = {"max RSS MB": usage.rss, "PSS MB": usage.pss, "wall s": usage.wall, "CPU s": usage.cpu}
    return {"rows": made["rows"]} | ({"failure": usage.failure} if usage.failure else figures)


def workers(make_input: MakeInput, megabytes: float) -> list[Made]:
    """Return what one worker and two take for a folder of shards, in turn, the better of three runs; and if they agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_input(folder, None, megabytes)
        split(folder / "pairs.jsonl.gz", folder / "shards", SHARDS)
        runs: dict[int, list[Made]] = {1: [], 2: []}
        for _ in range(3):
            for count, found in runs.items():
                _say(f"{count} workers")
                found.append(_folder_run(folder / "shards", folder, count))
    return [min(found, key=lambda run: run.get("wall s", 0)) for found in runs.values()]


def _folder_run(shards: Path, folder: Path, count: int) -> Made:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        output = f"{name}/out/"
        options = [*OPTIONS, "--output", output, "--format", "parquet", "--workers", str(count)]
        usage = measure.run([*CONVERT, str(shards), *options])
        if usage.failure:
            return {"workers": count, "failure": usage.failure}
        files = sorted(path for path in Path(output).rglob("*.parquet"))
        same = digest(*files)
    figures = {"wall s": usage.wall, "CPU s": usage.cpu, "max RSS MB": usage.rss, "PSS MB": usage.pss}
    return {"workers": count} | figures | {"files": len(files), "sha256": same[:12]}
