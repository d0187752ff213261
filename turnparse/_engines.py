"""Engines: what does the units of work of a conversion, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnparse._errors import OptionError, require_str, shown
from turnparse._sources import STDIN
from turnparse._tasks import Task

if TYPE_CHECKING:
    from turnparse._run import Engine

ENGINES: Final = ("local", "ray")
"""The names: the threads of this machine, and Ray."""


def require_engine(engine: object, ray_address: object, tasks: list[Task]) -> None:
    """Check that there is an engine of that name, and that *tasks* are some that it can do.

    Raises:
        ArgumentError: if the name or the address is no text.
        OptionError: if there is none, or it cannot do them.
    """
    if require_str(engine, "the engine") not in ENGINES:
        msg = f"expected an engine ({', '.join(ENGINES)}), found {shown(engine)}"
        raise OptionError(msg)
    if ray_address is not None and engine != "ray":
        msg = f"expected the engine ray with the address of a cluster, found {shown(engine)}"
        raise OptionError(msg)
    if ray_address is not None:
        require_str(ray_address, "the address of the cluster")
    if engine != "local" and not tasks[0].in_folder:
        msg = f"expected a folder for output with the engine {engine}, for an output a source, found one file for all"
        raise OptionError(f"{msg}; end the output in a slash, or leave the engine out")
    if engine != "local" and any(shard.path == STDIN for task in tasks for shard in task.shards):
        raise OptionError(f"expected files with the engine {engine}, found standard input: no worker can read it")


def engine_named(engine: str, ray_address: str | None, workers: int | None, threads: int) -> Engine:
    """Return the engine of that name.

    Args:
        engine: of `ENGINES`.
        ray_address: the address of a cluster.
        workers: how many units, or threads, are to be at work at a time, if that was said.
        threads: how many threads this machine has for it.

    Raises:
        OptionError: if what it needs is not installed.
    """
    if engine == "ray":
        from turnparse._ray import Ray

        return Ray(workers, ray_address)
    from turnparse._run import Threads

    return Threads(threads)
