"""`python -m benchmarks.against`: this turnparse beside an earlier one, or beside itself with other options, in turn.

What a machine does besides falls on both alike, and what counts is the ratio of two runs that follow each other.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import attrs

from benchmarks import measure, report
from benchmarks.inputs import SAMPLE
from benchmarks.report import ROOT
from benchmarks.scale import CONVERT
from benchmarks.stages import ONE, inputs

PAIRS: Final = 8
ROUTES: Final = (("jsonl.gz", "jsonl"), ("jsonl", "parquet"))

Record = dict[str, Any]


@attrs.frozen
class Side:
    """One of the two.

    Attributes:
        root: the checkout that it is of.
        options: what `turnparse convert` is given besides.
    """

    root: Path
    options: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which its own turnparse runs, wherever that is started."""
        return {"PYTHONPATH": str(self.root), "PYTHONSAFEPATH": "1"}

    def require_own(self) -> None:
        """Check that it is that which runs."""
        words = [sys.executable, "-c", "import turnparse; print(turnparse.__file__)"]
        done = subprocess.run(words, env=os.environ | self.environment, check=True, stdout=subprocess.PIPE, text=True)
        assert Path(done.stdout.strip()).is_relative_to(self.root), done.stdout

    def seconds(self, source: Path, written: str) -> float:
        """Return the CPU seconds of a conversion, on one worker."""
        with tempfile.TemporaryDirectory(dir=source.parent) as name:
            words = [*CONVERT, str(source), "--workers", "1", *self.options, "--output", f"{name}/out.{written}"]
            usage = measure.run(words, self.environment, pages=False)
        if usage.failure:
            raise SystemExit(f"{self.root}: {usage.failure}")
        return usage.cpu


def checkout(commit: str, folder: Path) -> Path:
    """Write what *commit* holds into *folder*, and return that."""
    held = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE)  # noqa: S607
    with tarfile.open(fileobj=io.BytesIO(held.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def compare(here: Side, there: Side, source: Path, written: str, pairs: int) -> list[tuple[float, float]]:
    """Return the CPU seconds of both sides in so many pairs of runs; who comes first changes from pair to pair."""
    for side in (here, there):
        side.require_own()
        # The first run compiles.
        side.seconds(Path(str(SAMPLE)), written)
    found = []
    for number in range(pairs):
        order = (here, there) if number % 2 else (there, here)
        took = {side: side.seconds(source, written) for side in order}
        found.append((took[here], took[there]))
    return found


def figures(pairs: Sequence[tuple[float, float]]) -> Record:
    """Return the medians of both sides, and of their ratios within a pair, with the least and the most of these."""
    ratios = sorted(here / there for here, there in pairs)
    return {
        "pairs": len(pairs),
        "here, CPU s": median(here for here, _ in pairs),
        "there, CPU s": median(there for _, there in pairs),
        "here by there": median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
    }


def save(result: Record, path: Path) -> None:
    """Add *result* to the list that *path* holds, in place of an earlier one that compared the same."""
    held: list[Record] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    what = ("commit", "here", "there")
    others = [one for one in held if [one[name] for name in what] != [result[name] for name in what]]
    path.write_text(json.dumps([*others, result], indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="pairs instead of the shipped sample")
    parser.add_argument("--commit", help="the earlier one, if not this one")
    parser.add_argument("--here", nargs="?", default="", metavar="OPTIONS", help="options of this one, in one word")
    parser.add_argument("--there", nargs="?", default="", metavar="OPTIONS", help="options of the other")
    parser.add_argument("--megabytes", type=float, default=200.0, help="how much text [default: %(default)s]")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of runs, for each route [default: %(default)s]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file of JSON to add the figures to")
    given = parser.parse_args()
    made = report.facts("benchmarks.against")
    table: list[Record] = []
    with tempfile.TemporaryDirectory(prefix="turnparse-against-") as name:
        folder = Path(name)
        source, _ = inputs(folder, given.files, given.megabytes)
        root = checkout(given.commit, folder / "there") if given.commit else ROOT
        here, there = Side(ROOT, tuple(given.here.split())), Side(root, tuple(given.there.split()))
        for read, written in ROUTES:
            print(f"against: {read} to {written}", file=sys.stderr, flush=True)
            pairs = compare(here, there, folder / f"{ONE}.{read}", written, given.pairs)
            table.append({"from": read, "to": written} | figures(pairs) | {"runs": pairs})
    result = {
        "made": made,
        "input": source,
        "commit": given.commit,
        "here": given.here,
        "there": given.there,
        "against": table,
    }
    if given.output is not None:
        save(result, given.output)
    shown = [{what: value for what, value in row.items() if what != "runs"} for row in table]
    print(report.where(made), report.plain_table(shown), sep="\n\n")


if __name__ == "__main__":
    main()
