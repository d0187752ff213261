"""How fast a table becomes messages, side by side with the plain loop over the same rows in the same run.

python -m pytest benchmarks --benchmark-columns=min,median,ops --benchmark-sort=min
"""

from __future__ import annotations

import os
import time
from typing import Any

import pyarrow as pa
import pytest

import turnparse
from benchmarks.baselines import plain_messages
from benchmarks.inputs import FILES_VARIABLE, dialogues, unique_pairs

ROWS = 20_000
PAIRS = list(unique_pairs(ROWS) if FILES_VARIABLE in os.environ else dialogues(ROWS))
TABLE = pa.table({"chosen": [chosen for chosen, _ in PAIRS], "rejected": [rejected for _, rejected in PAIRS]})


def plain() -> None:
    """Make messages of every pair, from Python strings to Python objects."""
    for chosen, rejected in PAIRS:
        plain_messages(chosen, rejected)


def columns() -> None:
    """Make messages of every pair, from Arrow to Arrow."""
    turnparse.convert_table(TABLE, to="trl", preset="faithful")


@pytest.mark.benchmark(group="pairs to messages", timer=time.process_time, min_rounds=5)
@pytest.mark.parametrize("call", [plain, columns])
def test_messages(benchmark: Any, call: Any) -> None:
    """CPU time of one call on every row."""
    result = turnparse.convert_table(TABLE, to="trl", preset="faithful")
    benchmark.extra_info |= {"rows": ROWS, "regular": result.regular}
    benchmark(call)


def test_output_is_the_plain_loops() -> None:
    """What is timed is right: the table holds what the per-row calls make of each row."""
    result = turnparse.convert_table(TABLE, to="trl", preset="faithful")
    assert result.rows.num_rows == ROWS
    for row, texts in zip(result.rows.slice(0, 1000).to_pylist(), PAIRS, strict=False):
        pair = turnparse.parse_pair(*texts)
        messages = [[turn.message() for turn in turns] for turns in (pair.shared, pair.chosen, pair.rejected)]
        assert [row["prompt"], row["chosen"], row["rejected"]] == messages
