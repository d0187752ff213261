"""The README's snippets for engines run, each in a process of its own, in a folder with what they read."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.loopback import RAY, SPARK
from engines.rows import SAMPLES, Local
from fences import ENGINES, FENCES

SNIPPETS = [(language.removeprefix("python "), code) for language, code in FENCES if language.startswith("python ")]
SUBSETS = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")


@pytest.fixture
def folder(local: Local, tmp_path: Path) -> Path:
    """Return a folder with a Parquet file of pairs, and what datasets takes for the Hub's dataset: a folder of its name."""
    pq.write_table(local.table, tmp_path / "pairs.parquet")
    for subset, sample in [*((name, "pairs.jsonl") for name in SUBSETS), ("red-team-attempts", "red_team.jsonl")]:
        path = tmp_path / "Anthropic" / "hh-rlhf" / subset / "train.jsonl.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress((SAMPLES / sample).read_bytes()))
    return tmp_path


@pytest.mark.parametrize(("engine", "code"), SNIPPETS, ids=[engine for engine, _ in SNIPPETS])
def test_snippet(engine: str, code: str, folder: Path, local: Local) -> None:
    """A snippet runs to its end as it stands; the Hub is not asked for anything."""
    for module in ENGINES[engine]:
        if find_spec(module.split(".")[0]) is None or (engine == "spark" and shutil.which("java") is None):
            pytest.skip(f"{engine} is not here")
    environment = os.environ | RAY | SPARK | {"PYSPARK_PYTHON": sys.executable}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf"), "RAY_AUTH_TOKEN": "0" * 64}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    if engine in {"ray", "spark"}:
        assert pq.read_table(folder / f"{engine}-trl").num_rows == len(local.written)
        assert pq.read_table(folder / f"{engine}-aside").num_rows == len(local.aside)
