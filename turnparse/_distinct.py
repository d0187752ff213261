"""Which digests are distinct, within sources and between them: exact, in 16 bytes for each, and on disk where that is too much.

Digests are kept as sorted runs, each of one source and without repeats. Runs of one source are merged as they grow, so what is
repeated takes no room; past the memory that may be used all runs go to a temporary file, which has no name, so that it is gone
when the process is. At the end all runs are gone through side by side, a range of digests at a time.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, Self

import attrs
import numpy as np
import numpy.typing as npt

from turnparse._buffers import Places
from turnparse._sinks import failure

SIZE: Final = 16
"""Bytes of a digest: among 10 ** 15 rows two that differ have the same with a chance of one in 10 ** 8."""

DIGEST: Final = np.dtype(f"S{SIZE}")
"""A digest as NumPy compares them, as bytes. It drops NULs at the end of strings, but all of these are of one length."""

BLOCK: Final = 1 << 24
"""Bytes of digests that wait until they are sorted."""

WORKING: Final = 4
"""How many times its own size a range of digests takes while it is gone through."""

Digests = npt.NDArray[np.bytes_]


@attrs.frozen
class Run:
    """Sorted digests of a source, none twice.

    Attributes:
        source: the source's number.
        digests: the digests; None if they are on disk.
        begin: where they begin there, counted in digests.
        end: one past where they end.
    """

    source: int
    digests: Digests | None
    begin: int = 0
    end: int = 0


@attrs.frozen
class Overlaps:
    """How many digests there are, and in how many sources.

    Attributes:
        distinct: digests of all sources together.
        several: those of them that more than one source has.
        by_source: digests of each source; length sources.
        elsewhere: those of them that another source has too; length sources.
        groups: digests that a source of each of two groups has; groups by groups.
    """

    distinct: int
    several: int
    by_source: Places
    elsewhere: Places
    groups: Places


class DistinctDigests:
    """The distinct digests of some sources.

    Args:
        memory: how many bytes may be used.

    Attributes:
        counts: {source: how many digests of it were added}.
        held: bytes of digests in sorted runs.
        spilt: digests on disk.
    """

    def __init__(self, memory: int) -> None:
        self.counts: Counter[int] = Counter()
        self._memory = memory
        self._runs: list[Run] = []
        self.held = 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._source = 0
        self._file: IO[bytes] | None = None
        self.spilt = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, source: int, digests: bytes) -> None:
        """Take *digests*, one behind the other, of the source of that number; those of a source come before the next one's.

        Raises:
            OutputError: if they are too many for the memory, and cannot be written to disk.
        """
        if source != self._source:
            self._settle()
            self._source = source
        self.counts[source] += len(digests) // SIZE
        self._waiting.append(digests)
        self._size += len(digests)
        if self._size >= min(BLOCK, self._memory // 4):
            self._settle()

    def forget(self, source: int) -> None:
        """Let go of all digests of a source."""
        self._settle()
        del self.counts[source]
        self._runs = [run for run in self._runs if run.source != source]
        self.held = sum(run.digests.nbytes for run in self._runs if run.digests is not None)

    def _settle(self) -> None:
        """Make a run of the digests that wait."""
        if not self._size:
            return
        found = _distinct([np.frombuffer(some, DIGEST) for some in self._waiting])
        self._waiting, self._size = [], 0
        while self._runs:
            last = self._runs[-1]
            # Each merge at least doubles what it is for, so no digest is merged often.
            if last.digests is None or last.source != self._source or len(last.digests) > 2 * len(found):
                break
            self._runs.pop()
            self.held -= last.digests.nbytes
            found = _distinct([last.digests, found])
        self._runs.append(Run(self._source, found))
        self.held += found.nbytes
        # To merge them takes as much again.
        if self.held > self._memory // 2:
            self._spill()

    def _spill(self) -> None:
        """Write all runs to disk."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="turnparse-")  # noqa: SIM115  # it lives as long as this
            for at, run in enumerate(self._runs):
                if run.digests is not None:
                    self._file.write(run.digests.data)
                    self._runs[at] = Run(run.source, None, self.spilt, self.spilt + len(run.digests))
                    self.spilt += len(run.digests)
            self._file.flush()
        except OSError as error:
            raise failure(error, os.path.join(tempfile.gettempdir(), ""), "digests to disk") from None  # noqa: PTH118  # as the system names it
        self.held = 0

    def overlaps(self, sources: int, groups: Sequence[int], most: int) -> Overlaps:
        """Return how many there are.

        Args:
            sources: how many sources there are.
            groups: the group of each source, from 0; -1 for none.
            most: how many groups there are.
        """
        self._settle()
        grouped = np.array(groups, np.int64)
        distinct = several = 0
        by_source, elsewhere = (np.zeros(sources, np.int64) for _ in range(2))
        between = np.zeros((most, most), np.int64)
        for digests, owners in self._ranges():
            order = np.argsort(digests, kind="stable")
            digests, owners = digests.take(order), owners.take(order)  # noqa: PLW2901  # in order
            new = np.append(True, digests[1:] != digests[:-1])
            number = np.cumsum(new) - 1
            # Runs come in the order of their sources, and the sort keeps it: what one source has twice lies together.
            once = new | np.append(True, owners[1:] != owners[:-1])
            number, owners = number[once], owners[once]  # noqa: PLW2901  # those of different sources
            shared = np.bincount(number) > 1
            distinct += len(shared)
            several += int(shared.sum())
            by_source += np.bincount(owners, minlength=sources)
            elsewhere += np.bincount(owners[shared.take(number)], minlength=sources)
            there = np.zeros((len(shared), most + 1), np.int64)
            there[number, grouped.take(owners)] = 1
            between += there[:, :most].T @ there[:, :most]
        return Overlaps(distinct, several, by_source, elsewhere, between)

    def _ranges(self) -> Iterator[tuple[Digests, Places]]:
        """Yield all digests, a range of them at a time, and the source of each; a digest is in one range only."""
        spilt: Any = None
        if self.spilt:
            spilt = np.memmap(self._file, DIGEST, "r", shape=(self.spilt,))  # type: ignore[call-overload]  # any file will do
        runs = [(run.source, spilt[run.begin : run.end] if run.digests is None else run.digests) for run in self._runs]
        size = SIZE * sum(len(digests) for _, digests in runs)
        if not size:
            return
        parts = -(-size * WORKING // self._memory)
        edges = [((part << 64) // parts).to_bytes(8, "big") for part in range(1, parts)]
        cuts = [[0, *np.searchsorted(digests, np.array(edges, DIGEST)).tolist(), len(digests)] for _, digests in runs]
        for part in range(parts):
            found = [digests[cut[part] : cut[part + 1]] for (_, digests), cut in zip(runs, cuts, strict=True)]
            counts = [len(digests) for digests in found]
            if any(counts):
                owners = np.repeat(np.array([source for source, _ in runs], np.int64), counts)
                yield np.concatenate(found), owners


def _distinct(digests: list[Digests]) -> Digests:
    """Return *digests* sorted, each once."""
    ordered = np.concatenate(digests)
    # Mostly they are sorted runs, which the stable sort merges.
    ordered.sort(kind="stable")
    once: Digests = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return once
