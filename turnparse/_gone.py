"""Outputs whose sources have gone: a resumed run takes them away, since an undisturbed one would not make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from turnparse._manifest import Manifest
from turnparse._shards import Shard, missing_shard
from turnparse._side_files import remove_side_files
from turnparse._sinks import failure
from turnparse._target import Target
from turnparse._tasks import Task


def remove_gone(
    manifest: Manifest, sources: list[str], tasks: list[Task], task_of: Callable[[Shard], Task], target: Target
) -> list[str]:
    """Remove outputs in a folder whose sources are no longer there.

    What another call has made stays, and what somebody has changed: an output goes only if one of *sources*, a folder or a
    pattern, would name its source if that were there, and it is as it was written.

    Args:
        manifest: what is known of the outputs in the folder.
        sources: what the run was called with.
        tasks: what it has done.
        task_of: what gives the task that it would have done for a source.
        target: the target, whose side files for these outputs go too.

    Returns:
        The outputs that were removed.

    Raises:
        OutputError: if one cannot be removed.
    """
    removed = []
    for entry in manifest.others(tasks):
        shard = missing_shard(sources, entry.sources[0].path) if len(entry.sources) == 1 else None
        if shard is None:
            continue
        task = task_of(shard)
        if not manifest.made(task, entry):
            continue
        try:
            # The output goes last: as long as it is there, the manifest tells of it, and the next run goes on.
            if task.aside is not None and entry.set_aside is not None:
                Path(task.aside.name).unlink(missing_ok=True)
            remove_side_files(target, task.out.name)
            Path(task.out.name).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise failure(error, task.out.name) from None
        manifest.forget(entry)
        removed.append(task.out.name)
    return removed
