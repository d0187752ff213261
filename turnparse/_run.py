"""A conversion: its units of work are done here, side by side, or by an engine, and what became of them is put together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from threading import Event
from typing import Protocol

from turnparse._batches import BatchConverter
from turnparse._errors import OutputError
from turnparse._manifest import Manifest
from turnparse._near_labels import NearMisses
from turnparse._outcome import Done, Outcome
from turnparse._summary import Summary
from turnparse._unit import Unit, do


class Engine(Protocol):
    """What does units of work."""

    def outcomes(
        self, converter: BatchConverter, units: list[Unit], on_bytes: Callable[[int], object] | None
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Yield what became of each of *units*, with its place among them, in any order.

        Args:
            converter: what judges the rows.
            units: what is to be done.
            on_bytes: called with the number of bytes read.

        Raises:
            OutputError: if an output cannot be written; then nothing is left of it, and what has not begun is not.
        """


def run(
    converter: BatchConverter,
    units: list[Unit],
    engine: Engine,
    on_bytes: Callable[[int], object] | None,
    manifest: Manifest | None,
) -> Done:
    """Do all *units*.

    Args:
        converter: what judges the rows.
        units: the outputs with their sources.
        engine: what does them.
        on_bytes: called with the number of bytes read.
        manifest: what is told of each output.

    Returns:
        What became of them. Of a source that could not be read though nothing need be wrong with it, a `FaultError`, no
        output is written.

    Raises:
        SourceError: if no source can be read; then nothing is written.
        OutputError: if an output cannot be written; then nothing is left of it.
    """
    found: dict[int, Outcome] = {}
    try:
        # It is closed at once if what is told of an outcome fails, or a signal comes then: all that is under way stops.
        with closing(engine.outcomes(converter, units, on_bytes)) as outcomes_so_far:
            for place, outcome in outcomes_so_far:
                found[place] = outcome
                if manifest is not None and outcome.output is not None:
                    manifest.record(units[place].task, outcome)
    except BaseException:
        if manifest is not None:
            # Why it ends is to be told, rather than that this failed too.
            with suppress(OutputError):
                manifest.save(always=False)
        raise
    counts = Summary()
    near = NearMisses()
    outcomes = [found[place] for place in range(len(units))]
    for outcome in outcomes:
        counts.add(outcome.counts)
        near.add(outcome.near)
    counts.near_labels = converter.hint(counts, near)
    done = Done(counts, [(unit.task, outcome) for unit, outcome in zip(units, outcomes, strict=True)])
    if all(outcome.nothing_read for outcome in outcomes):
        raise done.failures[0]
    return done


class StoppedError(Exception):
    """Another unit failed. Never leaves this module."""


class Threads:
    """The engine of one machine: so many threads, shared by the units that are under way."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def outcomes(
        self, converter: BatchConverter, units: list[Unit], on_bytes: Callable[[int], object] | None
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Do *units*; if one fails, stop the others and raise its error. See `Engine`."""
        side_by_side = min(self._workers, len(units))
        share = max(1, self._workers // side_by_side)
        if side_by_side == 1:
            for place, unit in enumerate(units):
                yield place, do(unit, converter, share, on_bytes)
            return
        stop = Event()

        def check() -> None:
            if stop.is_set():
                raise StoppedError

        with ThreadPoolExecutor(side_by_side, "turnparse") as pool:
            places = {
                pool.submit(do, unit, converter, share, on_bytes, check): place for place, unit in enumerate(units)
            }
            try:
                yield from _as_completed(places)
            except GeneratorExit:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                # What failed first is in the order of time, not of sources: a unit that was stopped is not at fault.
                _raise_first(places)
                raise


def _as_completed(places: dict[Future[Outcome], int]) -> Iterator[tuple[int, Outcome]]:
    waiting = set(places)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=places.__getitem__):
            yield places[future], future.result()


def _raise_first(futures: Iterable[Future[Outcome]]) -> None:
    for future in futures:
        error = future.exception() if future.done() and not future.cancelled() else None
        if error is not None and not isinstance(error, StoppedError):
            raise error from None
