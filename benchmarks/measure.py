"""Measuring processes: CPU time, wall time and peak memory of a command, and of all that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

PROC: Final = Path("/proc")
PAGES_POLL, PROCESS_POLL = 0.1, 0.01
"""Seconds between two looks at a process: at its memory, which the kernel has to add up, and whether it has ended."""

PATIENCE: Final = 10.0
"""Seconds that what a command has started has to end after it, before the next one is measured."""

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
        cpu: seconds of CPU time, user and system, of the process and of all that it started: what it waited for is counted
            to the end, anything else as it was last seen.
        rss: the most memory of one of its processes, in MB.
        pss: the most memory of all of them together, each shared page once, in MB; seen ten times a second, on Linux.
        failure: the last lines it wrote to standard error, if it failed; else empty.
        mapped: how much of *pss* were pages of files, which the system may take back.
        own: how much of *cpu* the process itself took, as it was last seen.
    """

    wall: float
    cpu: float
    rss: float
    pss: float | None
    failure: str
    mapped: float | None = None
    own: float | None = None


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
    *,
    pages: bool = True,
) -> Usage:
    """Run *command*, for *seconds* at most, and return what it took; look at what it has started meanwhile if *pages*.

    The kernel counts a new process's memory from its parent's, so the process that calls this must be small.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **OFFLINE, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=errors
        )
        family, looked, ended, late = _Family(process.pid), start, 0, False
        try:
            while not ended:
                time.sleep(PROCESS_POLL)
                now = time.perf_counter()
                if pages and now - looked > PAGES_POLL:
                    family.look()
                    looked = now
                if seconds is not None and now - start > seconds and not late:
                    late = True
                    family.kill()
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        except BaseException:
            family.kill()
            raise
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        family.settle()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    failure = f"stopped after {seconds:g} s" if late else " | ".join(said[-1:]) if process.returncode else ""
    if process.returncode and not failure:
        failure = f"exit code {process.returncode}"
    cpu = max(usage.ru_utime + usage.ru_stime, family.cpu)
    rss = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
    return Usage(wall, cpu, rss, family.pss or None, failure, family.mapped or None, family.own or None)


class _Family:
    """A process and all that it has started, as they were last seen: on Linux, elsewhere nothing is.

    Engines start processes that outlive who started them, or that nobody waits for: what these took the kernel tells of
    nobody else.

    Args:
        pid: the process.

    Attributes:
        pss: the most memory of all of them at a time, each shared page once, in MB.
        mapped: how much of that were pages of files.
    """

    def __init__(self, pid: int) -> None:
        self.pss = self.mapped = 0.0
        self._first = pid
        self._ticks: dict[tuple[int, str], int] = {}

    @property
    def cpu(self) -> float:
        """Seconds of CPU time of all of them."""
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK") if self._ticks else 0.0

    @property
    def own(self) -> float:
        """Seconds of CPU time of the first."""
        ticks = [ticks for (pid, _), ticks in self._ticks.items() if pid == self._first]
        return max(ticks) / os.sysconf("SC_CLK_TCK") if ticks else 0.0

    def look(self) -> None:
        """Look at all that are there."""
        pss = mapped = 0.0
        for pid in self._alive():
            try:
                rollup = (PROC / str(pid) / "smaps_rollup").read_text()
            except OSError:
                continue
            sizes = {line.split()[0]: int(line.split()[1]) * 1.024e-3 for line in rollup.splitlines()[1:]}
            pss += sizes.get("Pss:", 0)
            mapped += sizes.get("Pss_File:", 0)
        if pss > self.pss:
            self.pss, self.mapped = pss, mapped

    def _alive(self) -> list[int]:
        """Return those that are there, and remember what they took so far."""
        found: dict[int, None] = {}
        # Whose parent has ended is another's child.
        waiting = [self._first, *(pid for pid, begun in self._ticks if _begun(pid) == begun)]
        while waiting:
            pid = waiting.pop()
            fields = _fields(pid)
            if pid not in found and fields:
                found[pid] = None
                self._ticks[pid, fields[19]] = int(fields[11]) + int(fields[12])
                waiting += _children(pid)
        return list(found)

    def settle(self) -> None:
        """Wait until those that are left have ended, or end them: the next command is to be alone."""
        until = time.perf_counter() + PATIENCE
        while any(_is_busy(pid) for pid in self._alive()):
            if time.perf_counter() > until:
                self.kill()
                break
            time.sleep(PROCESS_POLL)

    def kill(self) -> None:
        """End all of them."""
        for pid in self._alive():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _fields(pid: int) -> list[str]:
    """Return what the kernel tells of a process, from its state on; nothing if it is not there."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    # The name of a program, in brackets, may hold anything.
    return stat.rpartition(")")[2].split()


def _begun(pid: int) -> str:
    """Return when a process began, which tells it from a later one of its number."""
    return (_fields(pid) or [""] * 20)[19]


def _is_busy(pid: int) -> bool:
    return (_fields(pid) or ["X"])[0] not in {"Z", "X"}


def _children(pid: int) -> Iterator[int]:
    for path in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, path.read_text().split())


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
