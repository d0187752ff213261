"""Measuring processes: CPU time, wall time and peak memory of a command, of its children too."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

PROC: Final = Path("/proc")
PAGES_POLL, PROCESS_POLL = 0.1, 0.01
"""Seconds between two looks at a process: at its memory, which the kernel has to add up, and whether it has ended."""

OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
"""Nothing is downloaded while anything is measured."""

ONE_CORE: Final = dict.fromkeys(("OMP_NUM_THREADS", "ARROW_IO_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@attrs.frozen
class Usage:
    """What a command took.

    Attributes:
        wall: seconds from start to end, the interpreter's start included.
        cpu: seconds of CPU time, user and system, of the process and its children.
        rss: the most memory of one of its processes, in MB.
        pss: the most memory of all of them together, each shared page once, in MB; seen ten times a second, on Linux.
        failure: the last lines it wrote to standard error, if it failed; else empty.
    """

    wall: float
    cpu: float
    rss: float
    pss: float | None
    failure: str


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
    *,
    pages: bool = True,
) -> Usage:
    """Run *command*, for *seconds* at most, and return what it took; look at its memory meanwhile if *pages*.

    The kernel counts a new process's memory from its parent's, so the process that calls this must be small.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **OFFLINE, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=errors
        )
        pss, looked, ended, late = 0.0, start, 0, False
        while not ended:
            time.sleep(PROCESS_POLL)
            now = time.perf_counter()
            if pages and now - looked > PAGES_POLL:
                pss, looked = max(pss, _pss(process.pid)), now
            if seconds is not None and now - start > seconds and not late:
                late = True
                process.kill()
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    failure = f"stopped after {seconds:g} s" if late else " | ".join(said[-1:]) if process.returncode else ""
    if process.returncode and not failure:
        failure = f"exit code {process.returncode}"
    cpu = usage.ru_utime + usage.ru_stime
    return Usage(wall, cpu, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024), pss or None, failure)


def _pss(pid: int) -> float:
    """Return the proportional memory of a process and all below it, in MB; 0 where it cannot be seen."""
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        children = " ".join(path.read_text() for path in (PROC / str(pid) / "task").glob("*/children"))
    except OSError:
        return 0.0
    (own,) = [int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")] or [0]
    return own * 1.024e-3 + sum(_pss(int(child)) for child in children.split())


def forget_peak() -> float:
    """Have the peak of this process's memory counted from now on, where the kernel can; return it as it is, in MB."""
    try:
        (PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak() -> float:
    """Return the most memory that this process had, in MB."""
    import resource

    if PROC.is_dir():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _status(name: str) -> float:
    lines = (PROC / "self" / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) * 1.024e-3
