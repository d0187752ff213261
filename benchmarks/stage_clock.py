"""Which stage of a conversion takes what: the local runner itself, with a clock at its doors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READ, UNZIP, DIGESTS, COLUMNS, JUDGE, ROWS, COMPRESS, FILE, ASIDE, REST = STAGES = (
    "read the file", "unzip, cut into chunks", "digests", "JSON or Parquet to columns", "parse and judge",
    "rows of the target", "compress, encode", "write, upload", "set aside", "rest",
)  # fmt: skip
"""In the order in which a row goes through them; what is left is the rest."""


class Clock:
    """Seconds by stage: every moment is that of the innermost stage that has begun and not ended.

    Args:
        now: tells the time; by default CPU time, of all threads of the process.
    """

    def __init__(self, now: Callable[[], float] = time.process_time) -> None:  # noqa: D107  # said above
        self._now = now
        self._open = [REST]
        self._since = now()
        self._seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside to the stage *name*."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = self._now()
        self._seconds[self._open[-1]] += now - self._since
        self._since = now

    def seconds(self) -> dict[str, float]:
        """Return {stage: seconds} so far."""
        self._turn()
        return dict(self._seconds)

    def timed(self, name: str | Callable[[Any], str], call: Callable[..., Any]) -> Callable[..., Any]:
        """Return *call*, counted to a stage, or to that which *name* tells of its first argument."""

        def timed(*given: Any, **named: Any) -> Any:
            with self.stage(name if isinstance(name, str) else name(given[0])):
                return call(*given, **named)

        return timed

    def drawn(self, name: str, items: Iterable[Any]) -> Iterator[Any]:
        """Yield *items*; what it takes to get each is counted to a stage."""
        left = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(left)
                except StopIteration:
                    return
            yield item


def watch(clock: Clock) -> None:
    """Put *clock* at the doors between the stages, for the rest of this process. With one worker all is one thread."""
    from turnparse import _batches, _digests, _pieces, _remote_files, _sinks, _sources, _streams, _unit, _whole

    unit: Any = _unit
    pieces: Any = _pieces
    for owner, door, stage in (
        (_streams.Watched, "read", READ),
        (_digests.Digest, "add", DIGESTS),
        (_sources.Source, "content", DIGESTS),
        (unit.ChunkReader, "read", COLUMNS),
        (_batches.BatchConverter, "judge", JUDGE),
        (unit, "line_rows", ROWS),
        (unit, "arrow_rows", ROWS),
        (_sinks.JsonLines, "write", _written),
        (_sinks.ArrowRows, "write", _written),
        (_sinks.Output, "finish", _written),
        (_whole._Raw, "write", FILE),  # noqa: SLF001  # a door like others
        (_whole.WholeFile, "finish", FILE),
        (_remote_files.Upload, "place", FILE),
    ):
        setattr(owner, door, clock.timed(stage, getattr(owner, door)))
    entries, read_batches, open_source = unit.entries, pieces.read_batches, unit.open_source

    @contextmanager
    def opened(*given: Any, **named: Any) -> Iterator[Any]:
        with open_source(*given, **named) as source:
            source.chunks = clock.drawn(UNZIP, source.chunks)
            yield source

    unit.open_source = opened
    pieces.read_batches = lambda *given: clock.drawn(COLUMNS, read_batches(*given))
    unit.entries = clock.timed(ASIDE, lambda *given: list(entries(*given)))


def _written(output: Any) -> str:
    return ASIDE if output.name.endswith(".set-aside.jsonl") else COMPRESS


def measured(source: str, output: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conversion in this process took, once all is loaded, by stage; and the bytes of its files."""
    from importlib.resources import files

    from turnparse import convert
    from turnparse._stores import store_of

    # What is loaded or made when first needed is no stage.
    sample: Any = files("turnparse") / "samples" / "pairs.jsonl"
    convert(sample, output, workers=1, **options)
    clock = Clock()
    watch(clock)
    begin, start = _counters(), time.perf_counter()
    summary = convert(source, output, workers=1, force=True, **options)
    wall = time.perf_counter() - start
    moved = {name: value - begin[name] for name, value in _counters().items()}
    found = {"seconds": clock.seconds(), "wall": wall, "rows": summary.rows_in, "set aside": summary.rows_set_aside}
    sizes = {"in": source, "out": output, "aside": f"{output}.set-aside.jsonl"}
    there = {name: path for name, path in sizes.items() if store_of(path).exists(path)}
    return found | moved | {name: store_of(path).size(path) for name, path in there.items()}


def _counters() -> dict[str, int]:
    """Return how many bytes this process has asked the system to read and to write, where it tells."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return {}
    return {
        name: int(value) for name, _, value in (line.partition(": ") for line in lines) if name in {"rchar", "wchar"}
    }
