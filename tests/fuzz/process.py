"""One target's fuzzing: processes of `fuzz.run_inside` one after another, what they said, and what they found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from time import monotonic

import attrs

from fuzz import seeds
from fuzz.target import Target, crash_name

STATUS = re.compile(r"^#(\d+)\s.*\bcov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
SECONDS_AN_INPUT = 20
"""After which an input counts as a crash: texts that take long are an attack."""
RESTARTS = 20
FEW = 5
"""One in so many of the shorter seeds is enough to find a planted bug from."""
PLANTING = Lock()
MEMORY = Path("/dev/shm")  # noqa: S108  # each process has a folder of its own there
"""Files are written and removed thousands of times; in memory, where there is such a folder."""


@attrs.frozen
class Figures:
    """What fuzzing a target came to.

    Attributes:
        target: its name.
        seeds: inputs that it began with.
        executions: inputs that were tried.
        edges: edges of turnparse's code that they covered, as libFuzzer counts them.
        seeds_edges: edges that the seeds covered by themselves.
        corpus: inputs that each cover something that no other does.
        seconds: how long it took.
        crashes: the files with inputs that something was wrong with.
        found: whether a planted bug was found.
    """

    target: str
    seeds: int = 0
    executions: int = 0
    edges: int = 0
    seeds_edges: int = 0
    corpus: int = 0
    seconds: float = 0
    crashes: tuple[str, ...] = ()
    found: bool = False


def dictionary(into: Path) -> Path:
    """Write what libFuzzer may put into inputs: the grammar's strings, and the keys of rows; return the file."""
    words = [text.encode() for text in seeds.strings()] + [f'"{key}": "'.encode() for key in seeds.KEYS]
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in words if word)
    path = into / "dictionary"
    path.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    return path


def write_seeds(target: Target, folder: Path, *, few: bool) -> int:
    """Write the seeds of *target* into *folder*, but for those that are too long; return how many there are.

    Args:
        target: what is fuzzed.
        folder: the folder.
        few: whether some of the shorter ones do: each is gone through again and again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = sorted({seed for seed in target.seeds() if len(seed) <= target.longest}, key=len)
    given = given[: len(given) // 2 : FEW] if few else given
    for seed in given:
        (folder / crash_name("seed", seed)).write_bytes(seed)
    return len(given)


def fuzz(target: Target, seconds: float, corpus: Path | None, keep: Path, *, plant: bool) -> Figures:
    """Fuzz *target* for so long, or until its planted bug is found.

    Args:
        target: what is fuzzed.
        seconds: for how long.
        corpus: a folder for the corpora of all targets; None for one that is removed.
        keep: the folder where inputs are kept that something is wrong with.
        plant: whether to plant its bug.
    """
    begun = monotonic()
    figures = Figures(target.name)
    with tempfile.TemporaryDirectory(prefix="turnparse-fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        folder = Path(made)
        inputs = folder / "corpus" if corpus is None else corpus / target.name
        figures = attrs.evolve(figures, seeds=write_seeds(target, inputs, few=plant))
        found = folder / "found"
        found.mkdir()
        options = [
            f"-max_len={target.longest}",
            f"-timeout={SECONDS_AN_INPUT}",
            f"-dict={dictionary(folder)}",
            f"-artifact_prefix={found}/",
            "-use_value_profile=0",
            # How often an edge is gone through tells hundreds of inputs apart, of which slow targets try each too seldom.
            "-use_counters=0",
            "-reload=0",
            "-print_final_stats=1",
        ]
        for _ in range(RESTARTS):
            left = int(seconds - (monotonic() - begun))
            if left < 1:
                break
            command = [sys.executable, "-m", "fuzz.run_inside", target.name, str(found), "plant" if plant else "none"]
            done = subprocess.run(
                [*command, str(inputs), *options, f"-max_total_time={left}"],
                env=_surroundings(folder),
                capture_output=True,
                check=False,
            )
            said = done.stderr.decode("utf-8", "replace")
            figures = _added(figures, said)
            if not STATUS.search(said):
                raise RuntimeError(f"{target.name} could not be fuzzed:\n{said[-2000:]}")
            figures = attrs.evolve(figures, found=plant and any(_shows_plant(target, path) for path in found.iterdir()))
            if figures.found or done.returncode == 0:
                break
            sys.stderr.write(said[-4000:])
        # What ends a process that looks for a planted bug may also be a bug that is there anyway.
        crashes = () if figures.found else tuple(_kept(target, found.iterdir(), keep))
    return attrs.evolve(figures, seconds=monotonic() - begun, crashes=crashes)


def _shows_plant(target: Target, path: Path) -> bool:
    """Tell whether the input in *path* is wrong with the planted bug, and only with it."""
    data = path.read_bytes()
    with PLANTING:
        try:
            target.check(data)
        except Exception:  # noqa: BLE001  # whatever is raised is a crash
            return False
        try:
            with target.plant():
                target.check(data)
        except Exception:  # noqa: BLE001  # as above
            return True
    return False


def _surroundings(folder: Path) -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(root / "tests"), str(root)])
    return {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(folder)}


def _added(figures: Figures, said: str) -> Figures:
    """Return *figures* with what libFuzzer *said* of another process."""
    status = [tuple(map(int, found)) for found in STATUS.findall(said)]
    if not status:
        return figures
    executions, edges, _, corpus = status[-1]
    # The seeds come first; what it says when it has read them is called INITED.
    begun = re.search(r"^#\d+\s+INITED cov: (\d+)", said, re.MULTILINE)
    return attrs.evolve(
        figures,
        executions=figures.executions + executions,
        edges=max(figures.edges, edges),
        seeds_edges=figures.seeds_edges or (int(begun[1]) if begun else 0),
        corpus=max(figures.corpus, corpus),
    )


def _kept(target: Target, paths: Iterable[Path], keep: Path) -> list[str]:
    """Copy inputs to where they are kept, each named for what is in it; return their names."""
    names = []
    for path in sorted(paths):
        name = crash_name(target.name, path.read_bytes())
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, keep / name)
        names.append(name)
    return names
