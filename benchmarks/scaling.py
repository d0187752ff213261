"""`python -m benchmarks.scaling`: what the saved figures say, as the README has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import engines, model, report, stages
from benchmarks.shards import LINES, TABLES
from benchmarks.stage_clock import DIGESTS, FILE

RESULTS: Final = Path(__file__).parent / "results"
TERABYTES, WORKERS = 10, 1000
SHARD_MEGABYTES: Final = (10, 100, 250, 1000, 10_000)

BEFORE_CHECKS: Final = "7299bf4"
"""The commit before what bad input is was looked into."""

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
    told = []
    for name, reads in (
        ("turnparse convert --engine ray", LINES),
        ("Ray Data, map_batches", TABLES),
        ("Spark, mapInArrow", TABLES),
        ("datasets, map, 1 process", TABLES),
        ("datasets, streaming", TABLES),
    ):
        one, local = found[name, reads, TABLES], found["turnparse convert, 1 worker", reads, TABLES]
        told.append(f"{name} {one['cpu'] / local['cpu']:.2f} and {one['pss'] / local['pss']:.1f}")
    yield f"CPU time and peak memory of {label} to Parquet, times those of one local worker: {'; '.join(told)}."


def of_stages(result: Result) -> Iterator[str]:
    """Yield what the README says of what a conversion takes."""
    yield report.where(result["made"])
    yield report.plain_table(stages.by_gigabyte(result))
    yield from map("- {}.".format, _facts(result))


def _facts(result: Result) -> Iterator[str]:
    memory = {
        name: [f"{row['peak MB']:,.0f} MB with {next(iter(row.values())):,.3g}" for row in rows]
        for name, rows in result["memory"].items()
    }
    yield f"Memory, by threads: {', '.join(memory['by workers'])}"
    yield f"Memory of one thread, by MB of a row: {', '.join(memory['by row'])}; by MiB read at a time (it is 4): {', '.join(memory['by chunk'])}"
    shards = {row["runner"]: row for row in result["shards"]}
    local, ray = shards["local, 1 worker"], shards["--engine ray"]
    yield (
        f"A shard, whatever is in it, takes {local['CPU ms a shard']:.1f} ms of CPU and {local['wall ms a shard']:.1f} ms in all besides, to be "
        f"opened, made safe on disk and told of; as a task of Ray {ray['CPU ms a shard']:.1f} ms of CPU, {ray['driver ms a shard']:.1f} of it the driver's"
    )
    largest = result["manifests"][-1]
    yield (
        f"An output is {largest['bytes an output']:,.0f} bytes of the manifest: of {largest['outputs']:,} it has {largest['MB']:,.0f} MB, and takes "
        f"{largest['to write, CPU s']:.1f} s to write and {largest['to read, CPU s']:.1f} s to read"
    )
    read, written = result["sizes"]["read"], result["sizes"]["written"]
    yield (
        f"A byte of JSON lines is {read[LINES]:.2f} bytes of {LINES}, and becomes "
        f"{', '.join(f'{share:.2f} of {name}' for name, share in written.items())} (real rows, each there once: {result['sizes']['JSON, MB']:.1f} MB)"
    )
    yield f"Rows set aside take {result['set aside']['CPU s by GB']:.1f} s of CPU by GB of their file"
    yield _elsewhere(result)
    yield _again(result)


def _elsewhere(result: Result) -> str:
    """Return what an upload takes beside a file here."""
    routes = {(line["from"], line["to"]): line for line in result["stages"]}
    here, there = routes[LINES, "jsonl"], routes[LINES, stages.ELSEWHERE]
    more = (there["seconds"][FILE] - here["seconds"][FILE]) / there["out"] * stages.GIGABYTE
    again = (there["rchar"] - there["in"]) / there["out"]
    return (
        f"An output that goes elsewhere is first written to the disk here ({there['wchar'] / there['out']:.2f} bytes by byte) and read again "
        f"({again:.2f}): {more:.1f} s of CPU by GB, and what the network takes"
    )


def _again(result: Result) -> str:
    """Return what it takes to find an output as it was."""
    (route,) = [line for line in result["stages"] if (line["from"], line["to"]) == ("jsonl", "jsonl")]
    by_gigabyte = route["seconds"][DIGESTS] / (route["in"] + route["out"]) * stages.GIGABYTE
    return (
        f"`--resume` reads all again that is there, sources and outputs: {by_gigabyte:.1f} s of CPU by GB, for digests"
    )


def of_many(result: Result, beside: Result) -> Iterator[str]:
    """Yield what the README says of many machines, by the figures of stages and those of engines."""
    (ray,) = [
        one[engines.LARGE]["pss"]
        for one in beside["engines"]
        if (one["contender"], one["writes"]) == ("turnparse convert --engine ray", TABLES)
    ]
    costs = model.Costs.of(result, LINES, TABLES, ray / beside["made"]["machine"]["cpus"])
    lines = TERABYTES / costs.read
    yield f"{TERABYTES} TB of {LINES}, which are {lines:.0f} TB of JSON lines, to Parquet by {WORKERS:,} workers of Ray, a core each:"
    yield report.plain_table(model.rows(costs, TERABYTES, WORKERS, SHARD_MEGABYTES))


def of_checks(results: Sequence[Result]) -> Iterator[str]:
    """Yield what the README says of what checks and digests cost, of runs in turn."""
    found = {(one["commit"], one["here"], one["there"]): one for one in results}
    for what, key in (
        ("The digests and the manifest cost", (None, "", "--no-manifest")),
        (
            "These checks, and all else that has come since the commit before them, cost",
            (BEFORE_CHECKS, "--no-manifest", ""),
        ),
    ):
        one = found[key]
        shares = [f"{row['here by there'] - 1:.0%} of {row['from']} to {row['to']}" for row in one["against"]]
        yield (
            f"{what} {' and '.join(shares)} in CPU time (medians of {one['against'][0]['pairs']} pairs of runs in turn, "
            f"{one['input']['bytes'] / 1e6:.0f} MB, one worker: `{one['made']['command'].split(' --output')[0]}`)."
        )


def everything() -> Iterator[str]:
    """Yield all of it."""
    measured, beside = saved("stages"), saved("engines")
    yield from of_engines(beside)
    yield from of_stages(measured)
    yield from of_many(measured, beside)
    yield from of_checks(saved("against"))


def main() -> None:
    print(*everything(), sep="\n")


if __name__ == "__main__":
    main()
