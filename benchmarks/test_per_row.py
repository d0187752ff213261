"""How fast the per-row calls are, side by side with the plain loop over the same rows in the same run.

python -m pytest benchmarks --benchmark-columns=min,median,ops --benchmark-sort=min
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import turnparse
from benchmarks.baselines import plain_loop
from benchmarks.inputs import sample_pairs
from turnparse import Dialect

PAIRS = sample_pairs()
HH = Dialect.named()


def tree_pair(chosen: str, rejected: str) -> Any:
    """Read both sides by Lark."""
    return HH.read_tree(chosen), HH.read_tree(rejected)


def diagnosed_pair(chosen: str, rejected: str) -> Any:
    """Read a pair and look for structural oddities, as `convert` does."""
    return turnparse.parse_pair(chosen, rejected).diagnostics


@pytest.mark.benchmark(group="pairs", timer=time.process_time, min_rounds=5)
@pytest.mark.parametrize("call", [plain_loop, turnparse.parse_pair, diagnosed_pair, tree_pair])
def test_pairs(benchmark: Any, call: Callable[[str, str], Any]) -> None:
    """CPU time of one call on every pair."""

    def run() -> None:
        for chosen, rejected in PAIRS:
            call(chosen, rejected)

    benchmark.extra_info["pairs"] = len(PAIRS)
    benchmark(run)
