"""The manifest of a run: what each output was made of and how, so that a later run can tell what need not be done again."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final

import attrs

from turnparse._digests import Content, content_of
from turnparse._errors import OptionError, escape
from turnparse._job import Job
from turnparse._near_labels import NearMisses
from turnparse._sinks import STDOUT, failure
from turnparse._sources import STDIN
from turnparse._streams import zstd
from turnparse._summary import Summary
from turnparse._tasks import Task
from turnparse._version import __version__
from turnparse._whole import write_whole

KEY: Final = "outputs"
"""What an object of JSON has that is a manifest."""

PATIENCE: Final = 20
"""How many times as long as it takes to write a manifest it is not written again: of ten thousand outputs it is long."""


@attrs.frozen
class File:
    """A file that was read or written.

    Attributes:
        path: of a source, as it was named; of an output, from the folder of the manifest.
        size: how many bytes it holds.
        sha256: their digest.
    """

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: str, content: Content) -> File:
        """Return the file at *path*."""
        return cls(path, content.size, content.sha256)


@attrs.frozen
class Entry:
    """One output.

    Attributes:
        version: the version of turnparse that wrote it.
        options: the digest of all that it depends on beside its sources.
        sources: what was read, in order.
        output: what was written.
        set_aside: the rows set aside; None if there were none, or nowhere to write them.
        counts: what became of the rows.
        near: what may be meant as labels in rows without turns, so that a resumed run can tell what an undisturbed one would.
    """

    version: str
    options: str
    sources: list[File]
    output: File
    set_aside: File | None
    counts: Summary
    near: NearMisses


def options_digest(job: Job, limits: Mapping[str, object]) -> str:
    """Return a digest of all options that change an output: those of *job*, *limits*, and what compresses files."""
    import isal
    import pyarrow as pa

    options = {name: repr(value) for name, value in attrs.asdict(job, recurse=False).items()}
    options |= {name: repr(value) for name, value in limits.items()}
    made_with = (pa.__version__, isal.__version__, zstd().zstd_version)
    text = repr((sorted(options.items()), job.dialect.grammar, made_with))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Manifest:
    """The manifest of a run.

    It is written after each output, unless that would take a good part of the time, and when the run ends. Where it has
    nothing to tell, as when the only source could not be read, there is none: to resume from, that is the same.

    Args:
        path: where it is.
        options: the digest of the run's options.

    Raises:
        OptionError: if *path* holds something else than a manifest, and *replace* is not set.
    """

    def __init__(self, path: str, options: str, *, replace: bool) -> None:
        self._path = path
        self._options = options
        self._folder = os.path.dirname(path) or "."  # noqa: PTH120  # what a name may hold, Path may change
        self._entries = self._read(replace=replace)
        self._lock = Lock()
        self._rest_until = 0.0
        self._changed = False

    def _read(self, *, replace: bool) -> dict[str, Entry]:
        """Return the entries that are there, of outputs that are there."""
        import orjson

        try:
            found = orjson.loads(Path(self._path).read_bytes())[KEY].items()
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            if replace:
                return {}
            msg = f"expected a manifest of turnparse, found something else: {escape(self._path, 300)!r}"
            raise OptionError(
                f"{msg}; write over it with --force, or leave the manifest out with --no-manifest"
            ) from None
        from cattrs import Converter
        from cattrs.errors import BaseValidationError

        converter = Converter(forbid_extra_keys=True)
        entries = {}
        for path, raw in found:
            # Of what another version wrote nothing is kept.
            with suppress(BaseValidationError, AttributeError, TypeError, ValueError, OSError):
                entry = converter.structure(raw, Entry)
                if os.stat(os.path.join(self._folder, path)).st_size == entry.output.size:  # noqa: PTH116,PTH118
                    entries[path] = entry
        return entries

    def done(self, task: Task, check: Callable[[], object]) -> Entry | None:
        """Return what is told of *task*, if an earlier run has done it and nothing has changed since; else None.

        Args:
            task: what is to be done.
            check: called now and then; what it raises stops this.
        """
        entry = self._entries.get(self._inner(task.out.name))
        if entry is None or (entry.version, entry.options) != (__version__, self._options):
            return None
        paths = [shard.path for shard in task.shards]
        if STDIN in paths or (task.aside is not None and task.aside.name == STDOUT):
            # What came and went that way cannot be had again.
            return None
        if [file.path for file in entry.sources] != list(map(_printable, paths)):
            return None
        pairs = [(task.out.name, entry.output), *zip(paths, entry.sources, strict=True)]
        if entry.set_aside is not None:
            if task.aside is None or self._inner(task.aside.name) != entry.set_aside.path:
                return None
            pairs.append((task.aside.name, entry.set_aside))
        elif task.aside is not None and os.path.lexists(task.aside.name):
            return None
        # All sizes come first: most changes show there, and cost nothing to see.
        if not all(_has_size(path, file.size) for path, file in pairs):
            return None
        if not all(_has_content(path, file, check) for path, file in pairs):
            return None
        return entry

    def others(self, tasks: Iterable[Task]) -> list[Entry]:
        """Return what is told of outputs that are those of none of *tasks*."""
        own = {self._inner(task.out.name) for task in tasks}
        return [entry for entry in self._entries.values() if entry.output.path not in own]

    def made(self, task: Task, entry: Entry) -> bool:
        """Tell whether *entry* is of the outputs of *task*, and these are there as they were written then."""
        files = [(task.out.name, entry.output)]
        if task.aside is not None and entry.set_aside is not None and os.path.lexists(task.aside.name):
            files.append((task.aside.name, entry.set_aside))
        return all(
            self._inner(path) == file.path and _has_size(path, file.size) and _has_content(path, file, lambda: None)
            for path, file in files
        )

    def forget(self, entry: Entry) -> None:
        """Tell no more of an output."""
        with self._lock:
            self._changed = True
            self._entries.pop(entry.output.path, None)

    def record(self, task: Task, sources: list[Content] | None, counts: Summary, near: NearMisses) -> None:
        """Take an output that is in its place.

        Args:
            task: what was done.
            sources: what its sources hold; None if one could not be read to its end, so that it is to be done again.
            counts: what became of the rows.
            near: what may be meant as labels in rows without turns.

        Raises:
            OutputError: if the manifest cannot be written.
        """
        output = task.out.content
        aside = None if task.aside is None else task.aside.content
        path = self._inner(task.out.name)
        with self._lock:
            self._changed = True
            self._entries.pop(path, None)
            if sources is not None and output is not None:
                files = [
                    File.of(_printable(shard.path), content)
                    for shard, content in zip(task.shards, sources, strict=True)
                ]
                refused = None
                if task.aside is not None and aside is not None:
                    refused = File.of(self._inner(task.aside.name), aside)
                self._entries[path] = Entry(
                    __version__, self._options, files, File.of(path, output), refused, counts, near.common()
                )
            if monotonic() >= self._rest_until:
                self._write()

    def save(self, *, always: bool) -> None:
        """Write the manifest, if there is anything new in it, or *always*.

        Raises:
            OutputError: if that fails.
        """
        with self._lock:
            if self._changed or always:
                self._write()

    def _write(self) -> None:
        import orjson

        begin = monotonic()
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        entries = {path: attrs.asdict(entry) for path, entry in self._entries.items()}
        try:
            if entries:
                write_whole(self._path, orjson.dumps({KEY: entries}, option=options))
            else:
                Path(self._path).unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise failure(error, self._path, "the manifest") from None
        self._changed = False
        self._rest_until = monotonic() + PATIENCE * (monotonic() - begin)

    def _inner(self, path: str) -> str:
        """Return *path* as it is seen from the manifest."""
        return _printable(os.path.relpath(path, self._folder))


def _printable(path: str) -> str:
    """Return *path* as JSON can hold it."""
    return path.encode("utf-8", "backslashreplace").decode()


def _has_size(path: str, size: int) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116  # what a name may hold, Path may change
    except (OSError, ValueError):
        return False
    # A pipe would be waited for.
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _has_content(path: str, file: File, check: Callable[[], object]) -> bool:
    try:
        with Path(path).open("rb", buffering=0) as opened:
            return content_of(opened, check) == Content(file.size, file.sha256)
    except (OSError, ValueError):
        return False
