"""`python -m benchmarks.scaling`: what the saved figures say, as the README has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import engines, model, report, stages
from benchmarks.shards import LINES, TABLES
from benchmarks.stage_clock import DIGESTS, FILE

RESULTS: Final = Path(__file__).parent / "results"
TERABYTES, WORKERS = 10, 1000
SHARD_MEGABYTES: Final = (10, 100, 250, 1000, 10_000)

Result = Mapping[str, Any]


def saved(name: str) -> Any:
    """Return the saved figures of that name."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def of_engines(result: Result) -> Iterator[str]:
    """Yield what the README says of what engines cost."""
    yield report.where(result["made"])
    yield engines.table(result)
    label = result["sizes"][engines.LARGE]["label"]
    found = {(one["contender"], one["reads"], one["writes"]): one[engines.LARGE] for one in result["engines"]}
    local = {reads: found["turnparse convert, 1 worker", reads, TABLES] for reads in (LINES, TABLES)}
    told = []
    for name, kind in (
        ("turnparse convert --engine ray", LINES),
        ("Ray Data, map_batches", TABLES),
        ("Spark, mapInArrow", TABLES),
        ("datasets, map, 1 process", TABLES),
        ("datasets, streaming", TABLES),
    ):
        one, base = found[name, kind, TABLES], local[kind]
        told.append(f"{name} {one['cpu'] / base['cpu']:.1f} and {one['pss'] / base['pss']:.1f}")
    yield f"CPU time and memory of {label}, times those of one local worker: {'; '.join(told)}."


def of_stages(result: Result) -> Iterator[str]:
    """Yield what the README says of what a conversion takes."""
    yield report.where(result["made"])
    yield report.plain_table(stages.by_gigabyte(result))
    yield report.plain_table([{"set aside": "by GB of rows in that file"} | result["set aside"]])
    yield from (report.plain_table(rows) for rows in result["memory"].values())
    yield report.plain_table(result["shards"])
    yield report.plain_table(result["manifests"])
    yield report.plain_table([{"bytes by byte of JSON lines": "of rows that are there once"} | _sizes(result)])
    yield _elsewhere(result)


def _sizes(result: Result) -> dict[str, float]:
    sizes = result["sizes"]
    read = {f"read, {name}": share for name, share in sizes["read"].items()}
    return read | {f"written, {name}": share for name, share in sizes["written"].items()}


def _elsewhere(result: Result) -> str:
    """Return what an upload takes beside a file here."""
    routes = {(line["from"], line["to"]): line for line in result["stages"]}
    here, there = routes[LINES, "jsonl"], routes[LINES, stages.ELSEWHERE]
    more = (there["seconds"][FILE] - here["seconds"][FILE]) / there["out"] * stages.GIGABYTE
    again = (there["rchar"] - there["in"]) / there["out"]
    return (
        f"An output that goes elsewhere is written to the disk here ({there['wchar'] / there['out']:.2f} bytes by byte) and read again "
        f"({again:.2f}): {more:.1f} s of CPU a GB, and what the network takes."
    )


def of_many(result: Result) -> Iterator[str]:
    """Yield what the README says of many machines."""
    for written in ("jsonl.gz", TABLES):
        costs = model.Costs.of(result, LINES, written)
        yield f"{TERABYTES} TB of {LINES} ({TERABYTES / costs.read:.0f} TB of JSON lines) to {written}, {WORKERS:,} workers:"
        yield report.plain_table(model.rows(costs, TERABYTES, WORKERS, SHARD_MEGABYTES))
    (route,) = [line for line in result["stages"] if (line["from"], line["to"]) == (LINES, TABLES)]
    by_gigabyte = route["seconds"][DIGESTS] / (route["in"] + route["out"]) * stages.GIGABYTE
    yield f"`--resume` reads all that is there again, sources and outputs, for their digests: {by_gigabyte:.1f} s of CPU a GB."


def main() -> None:
    measured = saved("stages")
    print(*of_engines(saved("engines")), *of_stages(measured), *of_many(measured), sep="\n\n")


if __name__ == "__main__":
    main()
