"""Tasks: what is written of which sources, settled before anything is read."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Final

import attrs

from turnparse._errors import ArgumentError, OptionError, escape, require_str, shown
from turnparse._shards import FOLDER_MANIFEST, MANIFEST_SUFFIX, SET_ASIDE_SUFFIX, Shard, outputs_in
from turnparse._sinks import (
    FORMATS,
    LINE_FORMATS,
    STDOUT,
    ArrowRows,
    JsonLines,
    checked_output,
    failure,
    is_folder,
    output_named,
    writable,
)
from turnparse._sources import STDIN
from turnparse._stores import joined, located, sizes, store_of
from turnparse._urls import is_url, redacted

SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))


@attrs.frozen
class Task:
    """One output.

    Attributes:
        shards: the files whose rows it gets, in order.
        out: where rows are written.
        aside: where rows set aside are written; None if there is nowhere.
        in_folder: whether the outputs are in a folder, to be made if it is not there.
    """

    shards: list[Shard]
    out: JsonLines | ArrowRows
    aside: JsonLines | None
    in_folder: bool = False


def tasks_of(
    shards: list[Shard], output: object, set_aside: object, ending: object, *, new: bool = False
) -> list[Task]:
    """Return what is to be done: one task, or, where *output* is a folder, one for each of *shards*.

    Args:
        shards: the files to read.
        output: a file, a folder, or ``-``.
        set_aside: likewise, for rows set aside; None for the usual place.
        ending: the format of files in a folder, of `FORMATS`; None for the first.
        new: whether no output may be there when it is put in its place.

    Raises:
        ArgumentError, OptionError: if an output is no path, or cannot be written.
    """
    path = _slashed(writable(output, "the output"), "the output")
    aside = None
    if set_aside is not None:
        name = "the file for rows set aside"
        aside = _slashed(writable(set_aside, name), name)
    if _is_folder(path):
        tasks = _in_folder(path, aside, _checked_format(ending), shards, new=new)
    else:
        if ending is not None:
            msg = f"expected a format only with a folder for output, found {shown(ending)} with {escape(redacted(path))!r}"
            raise OptionError(msg)
        out = checked_output(path, "the output")
        if aside is None and out != STDOUT:
            aside = out + SET_ASIDE_SUFFIX
        if aside is not None:
            aside = checked_output(aside, "the file for rows set aside", LINE_FORMATS)
        if out == aside == STDOUT:
            msg = "expected two files for rows and rows set aside, found standard output for both"
            raise OptionError(msg)
        tasks = [Task(shards, output_named(out, new=new), None if aside is None else JsonLines(aside, new=new))]
    return tasks


def _slashed(path: str, name: str) -> str:
    """Return *path* if it is no file with a slash after it.

    Raises:
        OptionError: if it is.
    """
    bare = path.rstrip("".join(SEPARATORS))
    if bare != path and os.path.isfile(bare):  # noqa: PTH113  # Path.is_file raises where a name is too long
        msg = f"expected {name} to be a folder, since it ends in a slash, found a file: {escape(bare, 300)!r}"
        raise OptionError(f"{msg}; leave out the slash to write that file, or name another folder")
    return path


def _is_folder(path: str) -> bool:
    return path != STDOUT and (path.endswith(SEPARATORS) or is_folder(path))


def _checked_format(ending: object) -> str:
    if ending is None:
        return FORMATS[0]
    if require_str(ending, "the format") not in FORMATS:
        msg = f"expected a format ({', '.join(FORMATS)}), found {shown(ending)}"
        raise OptionError(msg)
    return str(ending)


def _in_folder(folder: str, aside: str | None, ending: str, shards: list[Shard], *, new: bool) -> list[Task]:
    """Return a task for each of *shards*, with its output in *folder*, maybe a *new* one."""
    if aside is not None and not _is_folder(aside):
        msg = f"expected a folder for rows set aside, as for the output, found {escape(redacted(aside))!r}; end it in a slash"
        raise OptionError(msg)
    outputs = outputs_in(folder, shards, ending)
    if aside is None:
        asides = [output + SET_ASIDE_SUFFIX for output in outputs]
    else:
        asides = outputs_in(aside, shards, SET_ASIDE_SUFFIX.lstrip("."))
    return [
        Task([shard], output_named(output, new=new), JsonLines(refused, new=new), in_folder=True)
        for shard, output, refused in zip(shards, outputs, asides, strict=True)
    ]


def manifest_path(tasks: list[Task], output: str | os.PathLike[str]) -> str | None:
    """Return where the manifest of *tasks* is, whose *output* is a file or a folder; None if that is standard output."""
    if tasks[0].in_folder:
        return joined(located(output, "the output"), FOLDER_MANIFEST)
    name = tasks[0].out.name
    return None if name == STDOUT else name + MANIFEST_SUFFIX


def files_written(tasks: list[Task]) -> list[str]:
    """Return the outputs of *tasks*, and the files for rows set aside."""
    outputs = (output for task in tasks for output in (task.out, task.aside))
    return [output.name for output in outputs if output is not None and output.name != STDOUT]


def require_distinct(tasks: list[Task], paths: Iterable[str]) -> None:
    """Check that none of *paths*, which are all to be written, is a source of *tasks*, another one, or a link.

    Raises:
        OptionError: if one is.
    """
    taken = {_real(shard.path) for task in tasks for shard in task.shards if shard.path != STDIN}
    for path in paths:
        if (real := _real(path)) in taken:
            msg = f"expected sources and outputs all to be different files, found {escape(redacted(path))!r} twice"
            raise OptionError(msg)
        taken.add(real)
        # To write through it would let whoever can make a link choose which file is written over; to put a file in its
        # place would surprise whoever made it in good faith.
        if store_of(path).is_link(path):
            msg = f"expected to write to a file, found a symbolic link: {escape(redacted(path), 300)!r}; name the file that is meant"
            raise OptionError(msg)


def require_folders(tasks: list[Task], paths: Iterable[str], summary: str | None) -> None:
    """Check that the folders of *paths*, all that is to be written, and of *summary*, are there, or can be made.

    Elsewhere a folder is none but a part of names, or is made.

    Raises:
        OptionError: if one is a file.
        OutputError: if one is not there, and is none that is made.
    """
    for path in paths:
        folder = "" if is_url(path) else os.path.dirname(path)  # noqa: PTH120  # what a name may hold, Path may change
        is_there = not folder or os.path.isdir(folder)  # noqa: PTH112  # likewise
        while folder and not os.path.lexists(folder):
            folder = os.path.dirname(folder)  # noqa: PTH120  # likewise
        if folder and not os.path.isdir(folder):  # noqa: PTH112  # likewise
            msg = f"expected a folder to write {escape(path, 300)!r} to, found a file: {escape(folder, 300)!r}"
            raise OptionError(f"{msg}; name a folder")
        if not is_there and (path == summary or not tasks[0].in_folder):
            what = "the summary" if path == summary else "the output"
            raise failure(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), path, what)


def require_new(paths: Iterable[str]) -> None:
    """Check that none of *paths* is there.

    Raises:
        OptionError: if one is.
    """
    # A name too long for the system is not there, and to open it will say what is wrong with it.
    asked = list(paths)
    try:
        found = sizes(asked)
    except OSError as error:
        raise failure(error, asked[0]) from None
    there = [path for path in asked if path in found]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        msg = f"expected outputs that are not there yet, found {escape(redacted(there[0]), 300)!r}{more}"
        raise OptionError(f"{msg}; write over them with --force, or go on where an earlier run stopped with --resume")


def _real(path: str) -> str:
    try:
        return store_of(path).identity(path)
    except (OSError, ValueError):
        return path  # to open it will say what is wrong with it


def checked_summary(summary: object) -> str | None:
    """Return the path of the summary.

    Raises:
        ArgumentError, OptionError: if it is no path, or standard output, or nothing can be written there.
    """
    path = None if summary is None else writable(summary, "the summary")
    if path == STDOUT:
        msg = f"expected the summary to be a file, found {STDOUT}: it is shown on standard error anyway"
        raise OptionError(msg)
    return path


def is_device(path: str) -> bool:
    """Tell whether *path* is there and neither a file nor a folder, as ``/dev/stderr``: it is written to as it stands."""
    return not is_url(path) and os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)  # noqa: PTH110,PTH112,PTH113  # as above


def checked_workers(workers: object) -> int:
    """Return how many threads convert: as many as there are cores for this process if *workers* is None.

    Raises:
        ArgumentError, OptionError: if it is no number, or less than one.
    """
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(workers, int) or isinstance(workers, bool):
        msg = f"expected workers to be an int, found {type(workers).__name__}"
        raise ArgumentError(msg)
    if workers < 1:
        msg = f"expected at least one worker, found {workers}"
        raise OptionError(msg)
    return workers
