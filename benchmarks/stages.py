"""`python -m benchmarks.stages`: what the local runner takes, stage by stage, by the shard and by the worker."""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import measure, report, shards
from benchmarks.__main__ import make_input
from benchmarks.engine_jobs import ENVIRONMENT
from benchmarks.engines import PACKAGES, absent
from benchmarks.inputs import SAMPLE
from benchmarks.scale import CONVERT
from benchmarks.shards import LINES, TABLES
from benchmarks.stage_clock import ASIDE, STAGES
from benchmarks.worker import answer

MEGABYTES: Final = 200.0
GIGABYTE, MEGABYTE, MEBIBYTE = 1e9, 1_000_000, 1 << 20
FORMATS: Final = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")
ELSEWHERE: Final = "jsonl, elsewhere"
ROUTES: Final = (*((LINES, written) for written in FORMATS), ("jsonl", "jsonl"), (TABLES, TABLES), (LINES, ELSEWHERE))
"""What is read and what is written."""

STORE: Final = "memory://turnparse-benchmark/out.jsonl"
"""Elsewhere, if only in memory: what goes there is written here first, then read and sent, as to any store of objects."""

SETS_ASIDE: Final = "axolotl-chatml-icr"
"""A target that sets most rows aside: those of several questions."""

CHUNKS: Final = (1, 4, 16, 64)
"""MiB read at a time; 4 as always."""

BATCHES: Final = (100, 1000, 10_000, 100_000)
"""Rows of a batch of Arrow."""

ROW_MEGABYTES: Final = (1, 10, 100)
WORKERS: Final = (1, 2, 4, 8)
SHARDS: Final = 16
TINY: Final = (200, 1000)
"""Shards of one row each: what more of them take is what a shard takes."""

TAKEN: Final = ("CPU", "wall", "driver")
"""Of a run with an engine, what the process takes that gives the others what to do is the driver's."""

OUTPUTS: Final = (10_000, 100_000)

ONE: Final = "all"
"""The name of the file with all rows."""

Record = dict[str, Any]


def _say(what: str) -> None:
    print(f"stages: {what}", file=sys.stderr, flush=True)


def stages(folder: Path, rounds: int) -> list[Record]:
    """Return what each of `ROUTES` takes, of the same rows in *folder*, stage by stage: medians of runs in turn."""
    runs: dict[tuple[str, str], list[Record]] = {route: [] for route in ROUTES}
    for _ in range(rounds):
        for (read, written), found in runs.items():
            _say(f"{read} to {written}")
            with tempfile.TemporaryDirectory(dir=folder) as name:
                output = STORE if written == ELSEWHERE else f"{name}/out.{written}"
                found.append(answer("stages", f"{folder}/{ONE}.{read}", output, {}))
    return [{"from": read, "to": written} | medians(found) for (read, written), found in runs.items()]


def medians(runs: Sequence[Record]) -> Record:
    """Return the medians of all figures of *runs*, each stage by itself."""
    seconds = {stage: median(run["seconds"][stage] for run in runs) for stage in STAGES}
    return {what: median(run[what] for run in runs) for what in runs[0] if what != "seconds"} | {"seconds": seconds}


def set_aside(folder: Path) -> Record:
    """Return what it takes to set rows aside, by the GB of what is written of them."""
    _say("rows set aside")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        found = answer("stages", f"{folder}/{ONE}.{LINES}", f"{name}/out.jsonl", {"to": SETS_ASIDE})
    share = found["set aside"] / found["rows"]
    return {"target": SETS_ASIDE, "share": share, "CPU s by GB": found["seconds"][ASIDE] / found["aside"] * GIGABYTE}


def sizes(paths: Sequence[str], folder: Path) -> Record:
    """Return how many bytes the rows of *paths* take in each format, as read (in gzip) and as written, by byte of JSON lines.

    Each row is there once: of rows that are there again and again, though with a number, formats that look far back keep
    only one.
    """
    lines = gzipped = 0
    for path in map(Path, paths):
        data = path.read_bytes()
        plain = gzip.decompress(data) if path.suffix == ".gz" else data
        lines += len(plain)
        gzipped += len(data) if path.suffix == ".gz" else len(gzip.compress(plain))
    found = {}
    for written in FORMATS:
        output = folder / f"sizes.{written}"
        usage = measure.run([*CONVERT, *paths, "--output", str(output)])
        assert not usage.failure, usage.failure
        found[written] = output.stat().st_size / lines
    return {"JSON, MB": lines / MEGABYTE, "read": {LINES: gzipped / lines}, "written": found}


def memory(folder: Path) -> dict[str, list[Record]]:
    """Return the most memory of a conversion, in MB, by the bytes read at a time, by the length of rows, by the number of workers."""
    usual = f"{folder}/{ONE}.{LINES}"
    by_chunk, by_row, by_workers = [], [], []
    for chunk in CHUNKS:
        _say(f"memory, chunks of {chunk} MiB")
        by_chunk.append({"chunk, MiB": chunk} | answer("memory", usual, 1, chunk * MEBIBYTE))
    for size in ROW_MEGABYTES:
        _say(f"memory, rows of {size} MB")
        path = f"{folder}/long.jsonl"
        made = answer("long rows", size * MEGABYTE, 4, path)
        by_row.append(made | answer("memory", path, 1))
    for workers in WORKERS:
        _say(f"memory, {workers} workers")
        by_workers.append({"workers": workers} | answer("memory", usual, workers))
    return {"by chunk": by_chunk, "by row": by_row, "by workers": by_workers}


def by_batch(folder: Path, rounds: int) -> list[Record]:
    """Return what a call of `turnparse.Converter` takes, by the rows of a batch: the least of so many rounds."""
    _say("batches")
    runs = [[answer("batches", f"{folder}/pairs.arrow", rows) for rows in BATCHES] for _ in range(rounds)]
    return [min(found, key=lambda one: one["CPU s by GB"]) for found in zip(*runs, strict=True)]


def by_shard(folder: Path, rounds: int) -> list[Record]:
    """Return what a shard takes besides its rows: what many of one row each take, less what fewer do, by the shard."""
    for count in TINY:
        source = folder / f"tiny-{count}"
        source.mkdir()
        for number in range(count):
            shutil.copyfile(folder / f"row.{LINES}", source / f"{number:05}.{LINES}")
    found = []
    for name, words in (
        ("local, 1 worker", ("--workers", "1")),
        ("local, 1 worker, no manifest", ("--workers", "1", "--no-manifest")),
        ("local, 2 workers", ("--workers", "2")),
        ("--engine ray", ("--engine", "ray")),
    ):
        if "ray" in words and absent("ray"):
            continue
        runs = {count: [_tiny(folder, count, words) for _ in range(rounds)] for count in TINY}
        few, many = ({what: median(run[what] for run in runs[count]) for what in TAKEN} for count in TINY)
        rates = {f"{what} ms a shard": (many[what] - few[what]) / (TINY[1] - TINY[0]) * 1000 for what in TAKEN}
        found.append({"runner": name} | rates)
    return found


def _tiny(folder: Path, count: int, words: Sequence[str]) -> Record:
    _say(f"{count} shards of one row, {' '.join(words)}")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        usage = measure.run([*CONVERT, f"{folder}/tiny-{count}", *words, "--output", f"{name}/out/"], ENVIRONMENT)
    assert not usage.failure, usage.failure
    return dict(zip(TAKEN, (usage.cpu, usage.wall, usage.own or usage.cpu), strict=True))


def manifests(folder: Path) -> list[Record]:
    """Return what manifests of many outputs take."""
    found = []
    for outputs in OUTPUTS:
        _say(f"a manifest of {outputs:,} outputs")
        found.append(answer("manifest", f"{folder}/shards/{LINES}/000.{LINES}", outputs))
    return found


def by_gigabyte(result: Mapping[str, Any]) -> list[Record]:
    """Return a row for each stage: CPU seconds by GB of JSON lines for each route; the last is their sum."""
    gigabytes = result["json"] / GIGABYTE
    rows: list[Record] = [
        {"CPU s by GB of JSON lines": stage}
        | {_route(line): line["seconds"][stage] / gigabytes for line in result["stages"]}
        for stage in STAGES
    ]
    total = {_route(line): sum(line["seconds"].values()) / gigabytes for line in result["stages"]}
    return [*rows, {"CPU s by GB of JSON lines": "all"} | total]


def _route(line: Mapping[str, Any]) -> str:
    return f"{line['from']} to {line['to']}"


def tables(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of a saved *result* in Markdown."""
    yield report.plain_table(by_gigabyte(result))
    for rows in result["memory"].values():
        yield report.plain_table(rows)
    yield report.plain_table(result["batches"])
    yield report.plain_table(result["shards"])
    yield report.plain_table(result["manifests"])


def inputs(folder: Path, paths: Sequence[str], megabytes: float) -> tuple[Record, int]:
    """Make what is read in *folder*; return what it is made of, and how many bytes of JSON lines."""
    pairs = folder / "pairs.jsonl.gz"
    make_input(folder, list(paths), 1, None)
    pairs.rename(folder / f"row.{LINES}")
    source = make_input(folder, list(paths), None, megabytes)
    shards.make(pairs, folder / "shards", SHARDS)
    size = shards.make(pairs, folder / ONE, 1)
    for kind in (LINES, TABLES):
        (folder / ONE / kind / f"000.{kind}").rename(folder / f"{ONE}.{kind}")
    with gzip.open(pairs) as lines, (folder / f"{ONE}.jsonl").open("wb") as file:
        shutil.copyfileobj(lines, file)
    return source, size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="pairs instead of the shipped sample")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="how much text [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs [default: %(default)s]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file for the figures as JSON")
    given = parser.parse_args()
    made = report.facts("benchmarks.stages", PACKAGES) | {"rounds": given.rounds}
    with tempfile.TemporaryDirectory(prefix="turnparse-stages-") as name:
        folder = Path(name)
        source, size = inputs(folder, given.files, given.megabytes)
        result = {
            "made": made,
            "input": source,
            "json": size,
            "stages": stages(folder, given.rounds),
            "set aside": set_aside(folder),
            "sizes": sizes(given.files or [str(SAMPLE)], folder),
            "memory": memory(folder),
            "batches": by_batch(folder, given.rounds),
            "shards": by_shard(folder, given.rounds),
            "manifests": manifests(folder),
        }
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.where(made), *tables(result), sep="\n\n")


if __name__ == "__main__":
    main()
