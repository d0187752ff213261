"""How much memory a conversion takes: a bounded amount, whatever the input's size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import pathlib, re, sys, turnparse
turnparse.convert(sys.argv[1], sys.argv[2], preset="faithful", workers=int(sys.argv[3]))
print(re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""
"""Prints the most memory that it had, in KiB. (What `resource` tells counts the parent's too, from before the program began.)"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak so exactly")

PAIR = {"chosen": "\n\nHuman: Hi\n\nAssistant: Ho.", "rejected": "\n\nHuman: Hi\n\nAssistant: No."}


def _peak(source: Path, output: Path, workers: int = 1) -> int:
    """Return the most memory, in bytes, that a process has which converts *source*, and remove the output."""
    command = [sys.executable, "-c", PROGRAM, str(source), str(output), str(workers)]
    # Of what Arrow's own pool keeps for later, the amount hangs on the machine's load.
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    output.unlink()
    return 1024 * int(done.stdout)


def _written(path: Path, rows: int, words: str) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            texts = {side: f"{text} {number} {words}" for side, text in PAIR.items()}
            file.write(json.dumps(texts, ensure_ascii=False) + "\n")
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two files, the second four times as long as the first."""
    folder = tmp_path_factory.mktemp("sources")
    words = "é word " * 100
    return _written(folder / "small.jsonl", 30_000, words), _written(folder / "large.jsonl", 120_000, words)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet", "arrow"])
def test_memory_does_not_grow_with_the_input(tmp_path: Path, sources: tuple[Path, Path], ending: str) -> None:
    """Four times the rows take the same memory within a fifth, once there are enough of them to fill every buffer."""
    small, large = (_peak(source, tmp_path / f"out.{ending}") for source in sources)

    assert sources[1].stat().st_size > 150_000_000
    assert large < 1.2 * small


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet", "arrow"])
def test_memory_is_bounded_with_several_workers(tmp_path: Path, sources: tuple[Path, Path], ending: str) -> None:
    """How many chunks two threads hold at a time hangs on their turns, so what is asked is the bound: half a gigabyte."""
    assert _peak(sources[1], tmp_path / f"out.{ending}", 2) < 500_000_000


@pytest.mark.parametrize(
    ("words", "count", "times"),
    [
        ("é word 😀 ", 3_000_000, 8),
        ("\n\nHuman: " + "word " * 120 + "\n\nAssistant: " + "é word " * 90, 50_000, 13),
        ("\n\nHuman:\n\nAssistant:", 1_400_000, 40),
    ],
    ids=["one-turn", "many-turns", "empty-turns"],
)
def test_an_enormous_row_takes_a_few_times_its_size(tmp_path: Path, words: str, count: int, times: int) -> None:
    """A row of tens of megabytes takes at most so many times its size, beside what any conversion takes: more if it is more turns."""
    base = _peak(_written(tmp_path / "small.jsonl", 10, "word"), tmp_path / "out.jsonl", 2)
    source = _written(tmp_path / "large.jsonl", 3, words * count)
    size = source.stat().st_size // 3
    peak = _peak(source, tmp_path / "out.jsonl", 2)

    assert size > 60_000_000
    assert times / 2 * size < peak - base < times * size
