"""`python -m benchmarks.engines`: what an engine costs: time and memory of the same rows here and by each engine, every row checked."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import attrs

from benchmarks import measure, report, same_rows, shards
from benchmarks.__main__ import make_input
from benchmarks.engine_jobs import ENVIRONMENT, JOBS
from benchmarks.files import digest
from benchmarks.memory import missing
from benchmarks.scale import CONVERT
from benchmarks.shards import LINES, TABLES

MEGABYTES, SHARDS, TIMES = 200.0, 16, 10
GIGABYTE: Final = 1e9
PACKAGES: Final = ("turnparse", "pyarrow", "numpy", "orjson", "isal", "ray", "pyspark", "pandas", "datasets")
START, SMALL, LARGE = "start", "small", "large"
"""What a contender is given: one row, some shards, and the same so many times over."""

Record = dict[str, Any]


@attrs.frozen
class Contender:
    """What is measured.

    Attributes:
        name: what the table calls it.
        words: the command, without its source and its output.
        reads: what shards it is given, `LINES` or `TABLES`.
        writes: what it writes.
        absent: why it cannot run.
        is_exact: whether it writes the very bytes of the local runner.
    """

    name: str
    words: tuple[str, ...]
    reads: str
    writes: str
    absent: str = ""
    is_exact: bool = False

    def command(self, source: Path, output: Path) -> list[str]:
        """Return the whole command."""
        if self.is_exact:
            # With a slash at its end it is a folder.
            return [*self.words, str(source), "--format", self.writes, "--output", f"{output}/"]
        return [*self.words, str(source), str(output)]


def contenders() -> Iterator[Contender]:
    """Yield them; the first that reads and writes the same as another is what that is compared with."""
    for reads, writes in ((LINES, TABLES), (LINES, "jsonl"), (TABLES, TABLES)):
        for workers in ("1 worker", "2 workers"):
            words = (*CONVERT, "--workers", workers[0])
            yield Contender(f"turnparse convert, {workers}", words, reads, writes, is_exact=True)
        if reads == LINES:
            words = (*CONVERT, "--engine", "ray")
            yield Contender("turnparse convert --engine ray", words, reads, writes, absent("ray"), is_exact=True)
    for place, job in enumerate(JOBS):
        command = (sys.executable, "-m", "benchmarks.engine_jobs", str(place))
        yield Contender(job.name, command, TABLES, TABLES, absent(job.needs))


def absent(needs: str) -> str:
    """Return what to say if the engine that *needs* a distribution cannot run; else an empty text."""
    if needs == "pyspark" and shutil.which("java") is None:
        return "no Java"
    return missing(needs) and "not installed: pip install '.[engines]'"


@attrs.define
class Measured:
    """What all contenders took, each run a fresh process, and whether what they wrote is the same.

    Attributes:
        folder: where the shards are: a folder for each of `START`, `SMALL`, `LARGE`, in it one for each kind of shards.
        runs: {contender: {size: what each run took and made}}.
    """

    folder: Path
    runs: dict[Contender, dict[str, list[Record]]]
    _checked: dict[str, Record] = attrs.field(factory=dict)

    def round(self, size: str) -> None:
        """Run every contender once on shards of a *size*."""
        expected: dict[tuple[str, str], Record] = {}
        for contender, records in self.runs.items():
            if contender.absent:
                continue
            print(f"engines, {size}: {contender.name}, to {contender.writes}", file=sys.stderr, flush=True)
            found = self._run(contender, size)
            base = expected.setdefault((contender.reads, contender.writes), found)
            compared = ("rows", "set aside", "digest", *(("bytes",) if contender.is_exact else ()))
            same = "failure" not in found and all(found[what] == base.get(what) for what in compared)
            records.setdefault(size, []).append(found | {"same": same})

    def _run(self, contender: Contender, size: str) -> Record:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            output = Path(name, "out")
            command = contender.command(self.folder / size / contender.reads, output)
            usage = measure.run(command, ENVIRONMENT | {"HF_HOME": f"{name}/hf"})
            if usage.failure:
                return {"failure": usage.failure}
            files = [path for path in sorted(output.rglob("*")) if path.is_file() and "manifest" not in path.name]
            # Rows of the same bytes are the same.
            written = digest(*files)
            if written not in self._checked:
                self._checked[written] = same_rows.digest_of(output)
            took = {"cpu": usage.cpu, "wall": usage.wall, "pss": usage.pss, "mapped": usage.mapped}
            return took | {"bytes": written, "files": len(files)} | self._checked[written]


def lines(runs: Mapping[Contender, Mapping[str, Sequence[Record]]]) -> list[Record]:
    """Return a line of figures for each contender: medians of its runs on each size."""
    return [
        {"contender": contender.name, "reads": contender.reads, "writes": contender.writes}
        | ({"failure": contender.absent} if contender.absent else {})
        | {size: _medians(records) for size, records in sizes.items()}
        for contender, sizes in runs.items()
    ]


def _medians(records: Sequence[Record]) -> Record:
    if failed := [record["failure"] for record in records if "failure" in record]:
        return {"failure": failed[0]}
    found = {what: median(record[what] for record in records) for what in ("cpu", "wall")}
    most = max(records, key=lambda record: record["pss"] or 0)
    last = {what: records[-1][what] for what in ("rows", "set aside", "digest", "bytes", "files")}
    return (
        found
        | {"pss": most["pss"], "mapped": most["mapped"], "runs": len(records)}
        | last
        | {"same": all(record["same"] for record in records)}
    )


def table(result: Mapping[str, Any]) -> str:
    """Return the table of a saved *result* in Markdown."""
    rows: list[Record] = []
    base: dict[tuple[str, str], float] = {}
    for line in result["engines"]:
        row: Record = {"what runs": line["contender"], "from, to": f"{line['reads']}, {line['writes']}"}
        for size, facts in result["sizes"].items():
            found = line.get(size, {})
            row |= {f"{facts['label']}: CPU s": found.get("cpu"), f"{facts['label']}: wall s": found.get("wall")}
            if size != START:
                row[f"{facts['label']}: peak MB"] = found.get("pss")
            if size == LARGE:
                row["of files"] = found.get("mapped")
        if (cpu := line.get(LARGE, {}).get("cpu")) is not None:
            row["CPU, times local"] = cpu / base.setdefault((line["reads"], line["writes"]), cpu)
        found = [line[size] for size in (SMALL, LARGE) if "rows" in line.get(size, {})]
        same = "the same" if found and all(one["same"] for one in found) else "OTHERS"
        row["rows"] = line.get("failure") or next((one["failure"] for one in found if "failure" in one), same)
        rows.append(row)
    return report.plain_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="pairs instead of the shipped sample")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="how much text [default: %(default)s]")
    parser.add_argument("--shards", type=int, default=SHARDS, help="in how many shards [default: %(default)s]")
    parser.add_argument(
        "--times", type=int, default=TIMES, help="how many times that, for the large run [default: %(default)s]"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs, but for the large run [default: 3]")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="contenders, if not all")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file for the figures as JSON")
    given = parser.parse_args()
    made = report.facts("benchmarks.engines", PACKAGES) | {"rounds": given.rounds}
    with tempfile.TemporaryDirectory(prefix="turnparse-engines-") as name:
        folder = Path(name)
        source, sizes = inputs(folder, given.files, given.megabytes, given.shards, given.times)
        chosen = [one for one in contenders() if not given.only or one.name in given.only]
        measured = Measured(folder, {contender: {} for contender in chosen})
        for number in range(given.rounds):
            print(f"engines: round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
            measured.round(START)
            measured.round(SMALL)
        measured.round(LARGE)
    result = {"made": made, "input": source, "sizes": sizes, "engines": lines(measured.runs)}
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.where(made), table(result), sep="\n\n")


def inputs(
    folder: Path, files: Sequence[str], megabytes: float, count: int, times: int
) -> tuple[Record, dict[str, Record]]:
    """Make what is read in *folder*; return what it is made of, and {size: what there is of it}."""
    sizes: dict[str, Record] = {}
    source: Record = {}
    for size, rows, parts in ((START, 1, 1), (SMALL, None, count)):
        source = make_input(folder, list(files), rows, None if rows else megabytes)
        sizes[size] = {"rows": source["rows"], "json": shards.make(folder / "pairs.jsonl.gz", folder / size, parts)}
    (folder / LARGE).mkdir()
    for kind in (LINES, TABLES):
        shards.linked(folder / SMALL / kind, folder / LARGE / kind, times)
    sizes[LARGE] = {what: count * times for what, count in sizes[SMALL].items()}
    for size, facts in sizes.items():
        for kind in (LINES, TABLES):
            paths = [*(folder / size / kind).iterdir()]
            facts |= {"shards": len(paths), kind: sum(path.stat().st_size for path in paths)}
        facts["label"] = "one row" if size == START else _round(facts["json"])
    return source, sizes


def _round(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size >= GIGABYTE else f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
