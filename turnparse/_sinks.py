"""Outputs: files of JSON lines, Parquet or Arrow, and standard output. A file appears only when it is whole."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final

import attrs

from turnparse._digests import Content
from turnparse._errors import OptionError, OutputError, escape
from turnparse._stores import NewFile, located, store_of
from turnparse._streams import reason, zstd
from turnparse._urls import WEB, is_url, redacted, scheme_of
from turnparse._whole import TakenError

STDOUT: Final = "-"
LINE_FORMATS: Final = ("jsonl", "jsonl.gz", "jsonl.zst")
FORMATS: Final = (*LINE_FORMATS, "parquet", "arrow")
"""What can be written, as the endings of file names. ``arrow`` is the file format of Arrow IPC, not the stream."""

NO_ROOM: Final = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What the system says when a disk, a quota or a file is full."""

ADVICE: Final = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a folder that you may write to"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "name a folder that is there"),
    **dict.fromkeys((errno.EEXIST, errno.EISDIR), "name another file"),
    errno.ENAMETOOLONG: "give it a shorter name",
}
"""{what the system says of a file that cannot be made: what to do}."""

ROWS_AT_ONCE: Final = 20_000
"""Rows of a row group of Parquet, or a batch of Arrow: readers take one at a time."""

BYTES_AT_ONCE: Final = 1 << 26
"""Bytes of one at most, so that long rows do not fill the memory."""

ZSTD_LEVEL: Final = 3
"""A tenth smaller than level 1 on HH rows in Parquet, for a fifth of the speed of writing; zstd's own default."""

GZIP_LEVEL: Final = 2
"""isal's levels are 0 to 3; 3 takes twice the time of 2 for a file 2 % smaller."""


def writable(output: object, name: str) -> str:
    """Return *output* as text, if it is where anything can be written.

    Raises:
        ArgumentError: if it is no path.
        OptionError: if it is on a web server.
    """
    path = located(output, name)
    if scheme_of(path) in WEB:
        msg = (
            f"expected {name} to be where something can be written, found a web server: {escape(redacted(path), 300)!r}"
        )
        raise OptionError(f"{msg}; name a place here or in a store, as in s3:// or hf://")
    return path


def checked_output(output: object, name: str, formats: Sequence[str] = FORMATS) -> str:
    """Return *output* as text, if something can be written there.

    Raises:
        ArgumentError: if it is no path.
        OptionError: if it ends in none of *formats* and is not ``-``, or is a folder, or nothing can be written there.
    """
    path = writable(output, name)
    if path != STDOUT and format_of(path) not in formats:
        endings = " or ".join(f".{ending}" for ending in formats)
        msg = f"expected {name} to end in {endings}, or to be {STDOUT}, found {escape(redacted(path))!r}"
        raise OptionError(msg)
    if path != STDOUT and is_folder(path):
        msg = f"expected {name} to be a file, found a folder: {escape(redacted(path))!r}"
        raise OptionError(msg)
    return path


def is_folder(path: str) -> bool:
    """Tell whether an output is a folder that is there.

    Raises:
        OutputError: if that cannot be found out.
    """
    try:
        return store_of(path).is_folder(path)
    except OSError as error:
        raise failure(error, path) from None


def format_of(path: str) -> str:
    """Return the format that the ending of *path* names, of `FORMATS`; empty if it names none."""
    return next((ending for ending in FORMATS if path.endswith(f".{ending}")), "")


def failure(error: Exception, path: str, what: str = "the output") -> OutputError:
    """Return the error that says that *path*, which is *what*, cannot be written, and what to do."""
    advice = _advice(getattr(error, "errno", None), path)
    if isinstance(error, TakenError):
        advice = "move it away and run again with --resume, or write over it with --force"
    told = f"; {advice}" if advice else ""
    return OutputError(f"expected to write {what}, found: {reason(error)}{told}", source=escape(redacted(path), 300))


def _advice(number: int | None, path: str) -> str:
    """Return what to do where *path* could not be written, for which the system's reason has that *number*; empty if nobody knows."""
    if number in NO_ROOM:
        # What went to standard output is gone: there is nothing to go on from.
        return "make room there, and run again" if path == STDOUT else "make room, and run again with --resume"
    folder = "" if is_url(path) else os.path.dirname(path)  # noqa: PTH120  # what a name may hold, Path may change
    if number == errno.ENOENT and folder and not os.path.lexists(folder):
        return f"make the folder {escape(folder, 300)!r}, and run again"
    return ADVICE.get(number or 0, "") if path != STDOUT else ""


@attrs.define
class Output:
    """A file: made when first needed, under a temporary name, and put in its place by `finish` and then `place`.

    Attributes:
        name: its path, or ``-``.
        file: the file while it is being written, and when it is in its place; None if it is not needed so far.
        stream: what is written to: the file, or what compresses into it.
        committed: whether it is in its place, whole.
        new: whether nothing may be in that place; else what is there is replaced.
    """

    name: str
    file: NewFile | None = None
    stream: Any = None
    committed: bool = False
    new: bool = attrs.field(default=False, kw_only=True)

    @property
    def content(self) -> Content | None:
        """What the finished file holds; None if it was never needed."""
        return None if self.file is None else self.file.content

    def open(self) -> None:
        """Make the file, if that has not been done.

        Raises:
            OutputError: if it cannot be made.
        """
        if self.stream is not None:
            return
        if self.name == STDOUT:
            if sys.stdout is None:
                raise OutputError("expected to write to standard output, found it closed", source=STDOUT)
            self.stream = sys.stdout.buffer
            return
        try:
            self.file = store_of(self.name).new_file(self.name, new=self.new)
            self.stream = self._wrapped(self.file.file)
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None

    def _wrapped(self, file: IO[bytes]) -> Any:
        """Return what is written to in place of *file*."""
        return file

    def finish(self) -> None:
        """Make all that was written safe, still under the temporary name; most of what can fail, fails here.

        Raises:
            OutputError: if that fails.
        """
        try:
            if self.file is not None:
                self._finish()
                if self.stream is not self.file.file:
                    self.stream.close()
                self.file.finish()
            elif self.stream is not None:
                self.stream.flush()
        except (OSError, ValueError, NotImplementedError) as error:
            raise failure(error, self.name) from None

    def place(self) -> None:
        """Put the finished file in its place; of a file that was never needed, remove an earlier run's if there may be one.

        Raises:
            OutputError: if that fails.
        """
        try:
            if self.file is not None:
                self.file.place()
                self.committed = True
            elif self.stream is None and self.name != STDOUT:
                if self.new:
                    store_of(self.name).require_free(self.name)
                else:
                    store_of(self.name).remove(self.name)
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None

    def withdraw(self) -> None:
        """Take the file out of its place again: what it belongs to could not be put in its own."""
        if self.committed:
            with suppress(OSError, ValueError):
                store_of(self.name).remove(self.name)

    def _finish(self) -> None:
        """Write what has been held back."""

    def discard(self) -> None:
        """Leave nothing behind, unless `place` came first."""
        if self.file is None or self.committed:
            return
        # What compresses is closed first: left to the garbage collector, it would write to a closed file. Closing
        # writes what is buffered, and fails again where writing did.
        if self.stream is not None and self.stream is not self.file.file:
            with suppress(OSError, ValueError):
                self.stream.close()
        self.file.discard()


@attrs.define
class JsonLines(Output):
    """A file of JSON lines, compressed as its name says."""

    def _wrapped(self, file: IO[bytes]) -> Any:
        if self.name.endswith(".gz"):
            from isal import igzip

            # Neither name nor time goes into the header: equal runs give equal bytes.
            return igzip.IGzipFile("", "wb", GZIP_LEVEL, file, mtime=0)  # type: ignore[no-untyped-call]  # isal's
        if self.name.endswith(".zst"):
            return zstd().ZstdFile(file, "w", level=ZSTD_LEVEL)
        return file

    def write(self, lines: bytes | memoryview) -> None:
        """Write whole lines, their ends included.

        Raises:
            OutputError: if they cannot be written, as when the disk is full.
        """
        self.open()
        try:
            if self.stream is not None:
                self.stream.write(lines)
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None


@attrs.define
class ArrowRows(Output):
    """A file of Parquet or of Arrow IPC, as its name says.

    Attributes:
        schema: the columns, a `pyarrow.Schema`; to be set before the first batch, or before an empty file is put in its place.
        words: the paths in Parquet of texts that are few words many times, such as roles: a dictionary of others, which
            hardly ever repeat, would be a waste.
    """

    schema: Any = None
    words: list[str] = attrs.field(factory=list)
    _writer: Any = None
    _held: list[Any] = attrs.field(factory=list)
    _rows: int = 0
    _bytes: int = 0

    def write(self, batches: Sequence[Any]) -> None:
        """Write `pyarrow.RecordBatch`es; they are held until they make a row group.

        Raises:
            OutputError: if they cannot be written, as when the disk is full.
        """
        self.open()
        for batch in batches:
            self._held.append(batch)
            self._rows += len(batch)
            self._bytes += batch.nbytes
            if self._rows >= ROWS_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
                try:
                    self._write_held()
                except (OSError, ValueError, NotImplementedError) as error:
                    # Arrow has types that Parquet has not.
                    raise failure(error, self.name) from None

    def _write_held(self) -> None:
        import pyarrow as pa

        if self._writer is None:
            self._writer = self._opened()
        if self._held:
            table = pa.Table.from_batches(self._held, schema=self.schema)
            self._held, self._rows, self._bytes = [], 0, 0
            if self.name.endswith(".arrow"):
                table = table.combine_chunks()
            self._writer.write_table(table)

    def _opened(self) -> Any:
        if self.name.endswith(".arrow"):
            import pyarrow.ipc

            return pyarrow.ipc.new_file(self.stream, self.schema)
        import pyarrow.parquet as pq

        return pq.ParquetWriter(
            self.stream,
            self.schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=self.words or False,
        )

    def _finish(self) -> None:
        self._write_held()
        self._writer.close()

    def discard(self) -> None:
        """Leave nothing behind, unless `commit` came first."""
        # A writer closes its file only if it opened it, but writes an end when it is closed or collected.
        if self._writer is not None and not self.committed:
            with suppress(OSError, ValueError):
                self._writer.close()
        super().discard()


def output_named(name: str, *, new: bool = False) -> JsonLines | ArrowRows:
    """Return the output of that name, which is to be *new* or may replace what is there."""
    kind = JsonLines if name == STDOUT or format_of(name) in LINE_FORMATS else ArrowRows
    return kind(name, new=new)
