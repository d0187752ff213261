"""What was measured on one machine, for many: CPU hours, wall time, bytes moved, memory, and the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import attrs

HOUR, KILO, MEGA, TERA = 3600, 1e3, 1e6, 1e12


@attrs.frozen
class Costs:
    """What one machine takes.

    Attributes:
        by_gigabyte: CPU seconds by GB of JSON lines.
        by_shard: CPU seconds by shard, whatever is in it.
        driver: CPU seconds by shard of these that the driver takes, which is one process.
        read: bytes read by byte of JSON lines: how well the sources are zipped.
        written: bytes written, likewise.
        entry: bytes of the manifest by output.
        manifest: CPU seconds to write a manifest, by output.
        worker: the most memory of a worker, in MB, its share of the engine's own processes included.
    """

    by_gigabyte: float
    by_shard: float
    driver: float
    read: float
    written: float
    entry: float
    manifest: float
    worker: float

    @classmethod
    def of(cls, result: Mapping[str, Any], read: str, written: str, worker: float) -> Costs:
        """Return those in a saved *result* of `benchmarks.stages`, from one format to another: with a task of Ray's for each shard.

        How much memory a *worker* takes there is another question.
        """
        (route,) = [line for line in result["stages"] if (line["from"], line["to"]) == (read, written)]
        (shard,) = [line for line in result["shards"] if line["runner"] == "--engine ray"]
        largest = result["manifests"][-1]
        return cls(
            by_gigabyte=sum(route["seconds"].values()) / result["json"] * KILO * MEGA,
            by_shard=shard["CPU ms a shard"] / KILO,
            driver=shard["driver ms a shard"] / KILO,
            read=result["sizes"]["read"][read],
            written=result["sizes"]["written"][written],
            entry=largest["bytes an output"],
            manifest=largest["to write, CPU s"] / largest["outputs"],
            worker=worker,
        )


@attrs.frozen
class Estimate:
    """What a run takes.

    Attributes:
        json: TB of JSON lines that are in what is read.
        shards: how many sources, and outputs.
        cpu: CPU hours.
        one: seconds that a worker takes for a shard: as much is lost with a worker that dies.
        driver: hours that the driver takes.
        wall: hours from start to end, each worker on a core of its own, which waits for nothing but the driver, and for the
            last shards.
        written: TB written; as much is written to the workers' disks and read again if it goes to a store elsewhere.
        rate: GB read and written by second, by all workers together.
        memory: GB of all workers.
        manifest: MB.
        save: seconds to write the manifest once.
    """

    json: float
    shards: int
    cpu: float
    one: float
    driver: float
    wall: float
    written: float
    rate: float
    memory: float
    manifest: float
    save: float


def estimate(costs: Costs, terabytes: float, workers: int, shard: float) -> Estimate:
    """Return what it takes to convert so much.

    Args:
        costs: what was measured.
        terabytes: how much is read, zipped as it is.
        workers: how many cores.
        shard: how much a source holds, zipped, in MB.
    """
    json = terabytes / costs.read
    shards = ceil(terabytes * TERA / MEGA / shard)
    one = shard / KILO / costs.read * costs.by_gigabyte + costs.by_shard - costs.driver
    driver = shards * costs.driver
    wall = max(ceil(shards / workers) * one, driver)
    written = json * costs.written
    return Estimate(
        json=json,
        shards=shards,
        cpu=(shards * one + driver) / HOUR,
        one=one,
        driver=driver / HOUR,
        wall=wall / HOUR,
        written=written,
        rate=(terabytes + written) * KILO / wall,
        memory=workers * costs.worker / KILO,
        manifest=shards * costs.entry / MEGA,
        save=shards * costs.manifest,
    )


def rows(costs: Costs, terabytes: float, workers: int, shards: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return a row of the README's table for each size of *shards*, in MB."""
    found = []
    for shard in shards:
        of = estimate(costs, terabytes, workers, shard)
        found.append(
            {
                "shard, MB": shard,
                "shards": of.shards,
                "s for one": of.one,
                "CPU hours": of.cpu,
                "driver, minutes": of.driver * 60,
                "wall, minutes": of.wall * 60,
                "TB written": of.written,
                "GB/s moved": of.rate,
                "GB of memory": of.memory,
                "manifest, MB": of.manifest,
                "to write it, s": of.save,
            }
        )
    return found
