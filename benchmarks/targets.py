"""`python -m benchmarks.targets`: how fast `convert` writes each target, beside `trl`, in one process."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.__main__ import make_input
from benchmarks.report import facts
from turnparse import convert
from turnparse._target import targets

BESIDE: Final = "trl"
ENDINGS: Final = ("jsonl", "parquet")
ROWS: Final = 50_000


def measured(source: Path, folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return, for each target that takes pairs, its best wall and CPU time in seconds, by output format."""
    names = [name for name, target in targets().items() if "pair" in target.takes]
    best: dict[tuple[str, str], tuple[float, float]] = {}
    rows: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for ending in ENDINGS:
            for name in names:
                output = folder / f"out.{ending}"
                wall, cpu = time.perf_counter(), time.process_time()
                summary = convert(source, output, to=name, workers=1)
                took = time.perf_counter() - wall, time.process_time() - cpu
                before = best.get((name, ending), took)
                best[name, ending] = (min(took[0], before[0]), min(took[1], before[1]))
                rows[name] = (summary.rows_out, summary.rows_set_aside)
                for path in folder.iterdir():
                    path.unlink()
    return [
        {"target": name, "rows out": rows[name][0], "rows set aside": rows[name][1]}
        | {f"{ending} wall s": round(best[name, ending][0], 3) for ending in ENDINGS}
        | {f"{ending} CPU s": round(best[name, ending][1], 3) for ending in ENDINGS}
        | {f"{ending} of trl": round(best[BESIDE, ending][0] / best[name, ending][0], 2) for ending in ENDINGS}
        for name in names
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="pairs instead of the shipped sample")
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows to make [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="how often each target is written [default: %(default)s]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file for the table as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnparse-benchmark-") as name:
        inputs, outputs = Path(name, "in"), Path(name, "out")
        inputs.mkdir()
        outputs.mkdir()
        source = make_input(inputs, given.files, given.rows, None)
        table = measured(inputs / "pairs.jsonl.gz", outputs, given.rounds)
    result = {"made": facts("benchmarks.targets"), "input": source, "targets": table}
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in sorted(table, key=lambda row: min(row[f"{ending} of trl"] for ending in ENDINGS)):
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
