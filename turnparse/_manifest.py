"""The manifest of a run: what each output was made of and how, so that a later run can tell what need not be done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from threading import Lock
from time import monotonic
from typing import Final

import attrs

from turnparse._digests import Content, content_of
from turnparse._errors import OptionError, escape
from turnparse._job import Job
from turnparse._near_labels import NearMisses
from turnparse._outcome import Outcome
from turnparse._retries import UnreachedError
from turnparse._sinks import STDOUT, failure
from turnparse._sources import STDIN
from turnparse._stores import LOCAL, folder_of, inside, joined, sizes, store_of, write_whole
from turnparse._streams import zstd
from turnparse._summary import Summary
from turnparse._tasks import Task
from turnparse._urls import is_url, redacted
from turnparse._version import __version__

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
        self._folder = folder_of(path)
        self._entries = self._read(replace=replace)
        self._lock = Lock()
        self._rest_until = 0.0
        self._changed = False

    def _read(self, *, replace: bool) -> dict[str, Entry]:
        """Return the entries that are there, of outputs that are there."""
        import orjson

        try:
            found = orjson.loads(store_of(self._path).read(self._path))[KEY].items()
        except FileNotFoundError:
            return {}
        except UnreachedError as error:
            # What it tells of other outputs would be lost.
            raise failure(error, self._path, "the manifest") from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            if replace:
                return {}
            msg = f"expected a manifest of turnparse, found something else: {escape(redacted(self._path), 300)!r}"
            raise OptionError(
                f"{msg}; write over it with --force, or leave the manifest out with --no-manifest"
            ) from None
        from cattrs import Converter
        from cattrs.errors import BaseValidationError

        converter = Converter(forbid_extra_keys=True)
        entries = {}
        for path, raw in found:
            # Of what another version wrote nothing is kept.
            with suppress(BaseValidationError, AttributeError, TypeError, ValueError):
                entries[joined(self._folder, path)] = (path, converter.structure(raw, Entry))
        try:
            there = sizes(entries)
        except OSError as error:
            raise failure(error, self._path, "the manifest") from None
        return {path: entry for place, (path, entry) in entries.items() if there.get(place) == entry.output.size}

    def known(self, task: Task) -> Entry | None:
        """Return what an earlier run has told of the output of *task*, if it was made of the same sources in the same way; else None.

        Whether it still `holds` is another question: to answer it, all is read.
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
        if entry.set_aside is not None and (task.aside is None or self._inner(task.aside.name) != entry.set_aside.path):
            return None
        return entry

    def left_over(self, tasks: Iterable[Task]) -> list[str]:
        """Return the outputs that are there, but of none of *tasks*, and whose sources are not there any more.

        Whoever goes on in a folder may have taken sources away that are done, so it is for them to say what is to become of these.
        """
        own = {self._inner(task.out.name) for task in tasks}
        return [
            joined(self._folder, path)
            for path, entry in self._entries.items()
            if path not in own and not any(is_url(file.path) or LOCAL.exists(file.path) for file in entry.sources)
        ]

    def record(self, task: Task, outcome: Outcome) -> None:
        """Take an output that is in its place.

        Args:
            task: what was done.
            outcome: what became of it. If a source could not be read to its end nothing is told of it, so that it is
                done again.

        Raises:
            OutputError: if the manifest cannot be written.
        """
        path = self._inner(task.out.name)
        with self._lock:
            self._changed = True
            self._entries.pop(path, None)
            if outcome.sources is not None and outcome.output is not None:
                files = [
                    File.of(_printable(shard.path), content)
                    for shard, content in zip(task.shards, outcome.sources, strict=True)
                ]
                refused = None
                if task.aside is not None and outcome.set_aside is not None:
                    refused = File.of(self._inner(task.aside.name), outcome.set_aside)
                written = File.of(path, outcome.output)
                self._entries[path] = Entry(
                    __version__, self._options, files, written, refused, outcome.counts, outcome.near.common()
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
                store_of(self._path).remove(self._path)
        except (OSError, ValueError) as error:
            raise failure(error, self._path, "the manifest") from None
        self._changed = False
        self._rest_until = monotonic() + PATIENCE * (monotonic() - begin)

    def _inner(self, path: str) -> str:
        """Return *path* as it is seen from the manifest."""
        return _printable(inside(path, self._folder))


def holds(entry: Entry, task: Task, check: Callable[[], object]) -> bool:
    """Tell whether what *entry* tells of the output of *task* is still so: its sources and outputs hold what they held.

    Args:
        entry: what the manifest has.
        task: the output with its sources.
        check: called now and then; what it raises stops this.
    """
    pairs = [(task.out.name, entry.output)]
    pairs += zip((shard.path for shard in task.shards), entry.sources, strict=True)
    if task.aside is not None and entry.set_aside is not None:
        pairs.append((task.aside.name, entry.set_aside))
    elif task.aside is not None and store_of(task.aside.name).exists(task.aside.name):
        return False
    # All sizes come first: most changes show there, and cost nothing to see.
    return all(_has_size(path, file.size) for path, file in pairs) and all(
        _has_content(path, file, check) for path, file in pairs
    )


def _printable(path: str) -> str:
    """Return *path* as JSON can hold it."""
    return redacted(path).encode("utf-8", "backslashreplace").decode()


def _has_size(path: str, size: int) -> bool:
    try:
        return store_of(path).size(path) == size
    except (OSError, ValueError):
        return False


def _has_content(path: str, file: File, check: Callable[[], object]) -> bool:
    try:
        with closing(store_of(path).open(path)) as opened:
            return content_of(opened, check) == Content(file.size, file.sha256)
    except (OSError, ValueError):
        return False
