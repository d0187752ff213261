"""Ray: units of work as tasks of Ray Core, one each, on this machine or on a cluster that is there."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import chdir, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from turnparse._batches import BatchConverter
from turnparse._errors import FaultError, OptionError, TurnparseError, escape
from turnparse._near_labels import NearMisses
from turnparse._outcome import Outcome
from turnparse._stores import remove_orphans
from turnparse._streams import reason
from turnparse._summary import Summary
from turnparse._tasks import files_written
from turnparse._unit import Unit, do
from turnparse._urls import redacted
from turnparse._version import __version__

RETRIES: Final = 3
"""How often a unit is begun anew whose worker died: Ray's own number for tasks."""

AHEAD: Final = 2
"""Tasks for each core of the cluster that are given to Ray at a time: none idles, and to stop is to stop few."""

OBJECTS: Final = 1 << 27
"""Bytes of the object store of a Ray that is started here: what passes through it is small, and Ray would take a third of the memory."""

PATIENCE: Final = 10.0
"""Seconds that tasks have to clear up after themselves when a run is stopped; what is left then goes when it is seen."""

HERE: Final = {
    # An odd name for it: with it Ray does not swap 127.0.0.1 for the address that others know the machine by, which it does
    # with whatever its options say (seen in Ray 2.60).
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else it warns of what it will do in a version to come.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""What a Ray that is started here is told, where the environment tells it nothing else."""


class Ray:
    """The engine of those who have Ray.

    Args:
        workers: how many units are done at a time; None for as many as there are cores.
        address: where the cluster is, as for ``ray.init``; None for the one that ``RAY_ADDRESS`` names, or else for one that
            is started here, bound to loopback, and ends with the run.

    Raises:
        OptionError: if Ray is not installed, or nothing answers at the address.
    """

    def __init__(self, workers: int | None, address: str | None) -> None:
        self._workers = workers
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        if self._address is None:
            for name, value in HERE.items():
                os.environ.setdefault(name, value)
            # Else it writes one into the home folder.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
        try:
            import ray
        except ImportError:
            raise OptionError("expected Ray to be installed, found it is not: pip install 'turnparse[ray]'") from None
        self._ray: Any = ray
        self._is_callers = ray.is_initialized()
        if self._address is not None and not self._is_callers:
            _require_answer(self._address)

    def outcomes(
        self, converter: BatchConverter, units: list[Unit], on_bytes: Callable[[int], object] | None
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Do *units* as tasks; one whose worker died is begun anew. See `turnparse._run.Engine`."""
        try:
            yield from self._outcomes(converter, units, on_bytes)
        except SystemError as error:
            # What a signal raises inside Ray's compiled code comes out of it as the cause of this.
            cause = error.__cause__ or error.__context__
            if cause is not None and not isinstance(cause, Exception):
                raise cause from None
            raise
        finally:
            # Of workers that were killed, or whose driver left them.
            remove_orphans(files_written([unit.task for unit in units]))

    def _outcomes(
        self, converter: BatchConverter, units: list[Unit], on_bytes: Callable[[int], object] | None
    ) -> Iterator[tuple[int, Outcome]]:
        ray = self._ray
        with self._connected():
            cores = int(ray.cluster_resources().get("CPU", 1))
            at_once = self._workers or max(1, AHEAD * cores)
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(_task)
            job = ray.put(pickle.dumps(converter.job))
            left = iter(enumerate(units))
            under_way: dict[Future[Any], tuple[Any, int]] = {}
            try:
                while True:
                    while len(under_way) < at_once and (following := next(left, None)) is not None:
                        place, unit = following
                        reference = task.remote(job, unit, str(Path.cwd()), __version__)
                        under_way[reference.future()] = (reference, place)
                    if not under_way:
                        break
                    # Ray's own way to wait cannot be interrupted by a signal.
                    ready = next(iter(wait(under_way, return_when=FIRST_COMPLETED).done))
                    _, place = under_way.pop(ready)
                    outcome = self._outcome(ready, units[place])
                    if on_bytes is not None:
                        on_bytes(_size(outcome, units[place]))
                    yield place, outcome
            finally:
                if self._is_callers:
                    self._stop([reference for reference, _ in under_way.values()])

    def _outcome(self, ready: Future[Any], unit: Unit) -> Outcome:
        """Return what a task has returned; a fault, if all workers died that tried.

        Raises:
            TurnparseError: as `turnparse._unit.do`.
        """
        errors = self._ray.exceptions
        try:
            outcome = ready.result()
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            name = escape(redacted(unit.task.shards[0].path), 300)
            msg = (
                f"expected a worker that lives to the end, but each of {RETRIES + 1} died: "
                f"{type(error).__name__}: {reason(error)}; run again with --resume"
            )
            return Outcome(Summary(), NearMisses(), [FaultError(msg, source=name)])
        if isinstance(outcome, TurnparseError):
            raise outcome
        return outcome  # type: ignore[no-any-return]  # of `_task`

    def _stop(self, tasks: list[Any]) -> None:
        """Let *tasks* end before their time. Where Ray is not the caller's own it is left instead, and ends them itself.

        To be asked for both it does not take well: some of its versions then abort the whole process (seen in Ray 2.60).
        """
        for one in tasks:
            with suppress(Exception):
                self._ray.cancel(one)
        if tasks:
            with suppress(Exception):
                self._ray.wait(tasks, num_returns=len(tasks), timeout=PATIENCE)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        ray = self._ray
        if self._is_callers:
            yield
            return
        options: dict[str, Any] = {"address": self._address or "local", "log_to_driver": False}
        folder = None
        if self._address is None:
            # Its logs go with it; and the path of a socket in it is short.
            folder = tempfile.mkdtemp(prefix="ray-")
            options |= {"include_dashboard": False, "num_cpus": self._workers, "object_store_memory": OBJECTS}
            options["_temp_dir"] = folder
        # It puts a handler of its own in place of ours.
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**options, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise _no_cluster(self._address, error) from None
        finally:
            with suppress(ValueError):
                # Only the main thread has them.
                signal.signal(signal.SIGTERM, handler)
        try:
            yield
        finally:
            ray.shutdown()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _require_answer(address: str) -> None:
    """Check that something answers at *address*, if it names a host and a port.

    Raises:
        OptionError: if nothing does. Ray itself would wait, write to standard error, and end the process.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        except (OSError, ValueError, OverflowError) as error:
            raise _no_cluster(address, error) from None


def _no_cluster(address: str | None, error: Exception) -> OptionError:
    where = f"at {escape(redacted(address).partition('?')[0])}" if address else "that can be started here"
    # It tells of a token that it wants on standard error, and here only that it could not be reached.
    advice = (
        "; if it asks for a token, set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN where it is not in ~/.ray"
        if address
        else ""
    )
    return OptionError(f"expected a Ray cluster {where}, found: {reason(error)}{advice}")


def _size(outcome: Outcome, unit: Unit) -> int:
    """Return how many bytes the sources of a unit had."""
    if outcome.is_left and unit.known is not None:
        return sum(file.size for file in unit.known.sources)
    return sum(content.size for content in outcome.sources or ())


def _task(job: bytes, unit: Unit, folder: str, version: str) -> Outcome | TurnparseError:
    """Do a unit of work for a driver in *folder* that has *version*; an error of ours is returned, for Ray would make another of it."""
    if version != __version__:
        return OptionError(f"expected turnparse {version} on the workers, as here, found {__version__}; install that")
    # What is relative is so to the folder of who asked.
    with chdir(folder) if Path(folder).is_dir() else nullcontext():
        try:
            return do(unit, _converter(job))
        except TurnparseError as error:
            return error


@lru_cache(maxsize=4)
def _converter(job: bytes) -> BatchConverter:
    # To make one takes as long as a small shard, and a worker does many.
    return BatchConverter(pickle.loads(job))  # noqa: S301  # the driver's own
