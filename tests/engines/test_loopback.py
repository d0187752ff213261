"""No engine that the tests start can be reached from another machine, and what tells so would see it."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from engines.loopback import addresses, family, reachable


@pytest.mark.parametrize(
    ("kind", "address", "seen"),
    [
        (socket.AF_INET, "0.0.0.0", ["0.0.0.0"]),  # noqa: S104  # the thing itself
        (socket.AF_INET6, "::", ["::"]),
        (socket.AF_INET, "127.0.0.1", []),
        (socket.AF_INET6, "::1", []),
    ],
)
def test_what_others_can_reach_is_seen(kind: socket.AddressFamily, address: str, seen: list[str]) -> None:
    """A socket that listens to other machines is told from one that does not."""
    before = reachable({os.getpid()})
    with socket.socket(kind) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip("no such addresses here")
        listening.listen()

        assert sorted(reachable({os.getpid()})) == sorted(before + seen)


def test_ray_is_out_of_reach(ray: Any) -> None:
    """Ray's own processes and its workers listen to this machine only."""

    def pid() -> int:
        return os.getpid()

    worker = ray.get(ray.remote(pid).remote())
    pids = family(os.getpid())

    assert worker in pids
    assert len(addresses(pids)) >= 3
    assert reachable(pids) == []


def test_spark_is_out_of_reach(spark: Any) -> None:
    """Spark's own process and its workers listen to this machine only."""
    assert spark.range(4, numPartitions=2).count() == 4
    pids = family(os.getpid())

    assert len(addresses(pids)) >= 2
    assert reachable(pids) == []
