"""`python -m benchmarks`: turnparse beside the plain loop and what pip gives today, in one run, every row checked."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import files, memory, report
from benchmarks.contenders import CONTENDERS, PLAIN_FILES

ROWS: Final = 50_000


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="pairs (.jsonl, .jsonl.gz) instead of the shipped sample"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--rows", type=int, help=f"how many rows to make [default: {ROWS}]")
    size.add_argument("--megabytes", type=float, help="how much text to make, at least, in its place")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs [default: 5]")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER", help="[default: %(default)s]"
    )
    parser.add_argument(
        "--scale", action="store_true", help="also look at growth, hostile shapes and workers: minutes more"
    )
    parser.add_argument(
        "--scale-rows", type=int, default=1_000_000, help="the most rows of --scale [default: %(default)s]"
    )
    parser.add_argument("--scale-gigabytes", type=float, default=1, help="the largest file of --scale [default: 1]")
    given = parser.parse_args()
    if given.rounds < 1 or (given.rows or 1) < 1 or (given.megabytes or 1) <= 0:
        parser.error("expected rows, megabytes and rounds to be more than nothing")
    return given


def make_input(folder: Path, paths: list[str], rows: int | None, megabytes: float | None) -> dict[str, Any]:
    """Write the rows in a process of its own: this one must stay small, see `measure.run`."""
    command = [sys.executable, "-m", "benchmarks.inputs", str(folder), json.dumps(rows), json.dumps(megabytes), *paths]
    made: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return made


def main() -> None:
    given = options()
    made = report.facts("benchmarks") | {"rounds": given.rounds}
    with tempfile.TemporaryDirectory(prefix="turnparse-benchmark-") as name:
        folder = Path(name)
        rows = None if given.megabytes else given.rows or ROWS
        source = make_input(folder, given.files, rows, given.megabytes)
        in_memory = memory.compare(folder / "pairs.arrow", given.rounds)
        in_files = files.compare(folder / "pairs.jsonl.gz", given.rounds)
        notes = {one.name: one.note for some in (CONTENDERS, list(files.commands())) for one in some}
        result: dict[str, Any] = {
            "made": made,
            "input": source,
            "memory": report.lines(in_memory, source["bytes"], notes, "plain loop"),
            "files": report.lines(in_files, source["bytes"], notes, PLAIN_FILES.name),
            "rounds": {"memory": in_memory, "files": in_files},
        }
        if given.scale:
            from benchmarks import scale

            def make(folder: Path, rows: int | None, megabytes: float | None) -> dict[str, Any]:
                return make_input(folder, given.files, rows, megabytes)

            result["scale"] = scale.questions(make, given.scale_rows, given.scale_gigabytes)
    print(report.save(result, given.output))


if __name__ == "__main__":
    main()
