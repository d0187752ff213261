"""Outputs: files of JSON lines, compressed or not, and standard output. A file appears only when it is whole."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import attrs

from turnparse._errors import OptionError, OutputError, escape, require_path

STDOUT: Final = "-"
SUFFIXES: Final = (".jsonl", ".jsonl.gz")
GZIP_LEVEL: Final = 2
"""isal's levels are 0 to 3; 3 takes twice the time of 2 for a file 2 % smaller."""


def checked_output(output: object, name: str) -> str:
    """Return *output* as text, if something can be written there.

    Raises:
        ArgumentError: if it is no path.
        OptionError: if it ends in none of `SUFFIXES` and is not ``-``, or is a folder.
    """
    path = require_path(output, name)
    if path != STDOUT and not path.endswith(SUFFIXES):
        msg = f"expected {name} to end in {' or '.join(SUFFIXES)}, or to be {STDOUT}, found {escape(path)!r}"
        raise OptionError(msg)
    if path != STDOUT and os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a name is too long
        msg = f"expected {name} to be a file, found a folder: {escape(path)!r}"
        raise OptionError(msg)
    return path


def failure(error: Exception, path: str, what: str = "the output") -> OutputError:
    """Return the error that says that *path*, which is *what*, cannot be written."""
    reason = escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
    return OutputError(f"expected to write {what}, found: {reason}", source=escape(path, 300))


@attrs.define
class JsonLines:
    """A file of JSON lines: made when first needed, under a temporary name, and put in its place by `commit`.

    Attributes:
        name: its path, or ``-``.
        file: the file while it is being written.
        stream: what is written to: the file, or what compresses into it.
    """

    name: str
    file: IO[bytes] | None = None
    stream: IO[bytes] | None = None

    @property
    def temporary(self) -> Path:
        """Where the file is until it is whole: in the same folder, so that to rename it is one step."""
        path = Path(self.name)
        return path.with_name(f".{path.name}.{os.getpid()}.part")

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
            self.file = self.stream = self.temporary.open("wb")
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None
        if self.name.endswith(".gz"):
            from isal import igzip

            # Neither name nor time goes into the header: equal runs give equal bytes.
            zipped: Any = igzip.IGzipFile("", "wb", GZIP_LEVEL, self.file, mtime=0)  # type: ignore[no-untyped-call]  # isal's
            self.stream = zipped

    def write(self, line: bytes) -> None:
        """Write one line, its end included.

        Raises:
            OutputError: if it cannot be written, as when the disk is full.
        """
        self.open()
        try:
            if self.stream is not None:
                self.stream.write(line)
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None

    def commit(self) -> None:
        """Put the file in its place, whole; of a file that was never needed, remove an earlier run's.

        Raises:
            OutputError: if that fails.
        """
        try:
            if self.stream is None:
                if self.name != STDOUT:
                    Path(self.name).unlink(missing_ok=True)
            elif self.file is None:
                self.stream.flush()
            else:
                if self.stream is not self.file:
                    self.stream.close()
                self.file.flush()
                os.fsync(self.file.fileno())
                self.file.close()
                self.temporary.replace(self.name)
                self.file = None
        except (OSError, ValueError) as error:
            raise failure(error, self.name) from None

    def discard(self) -> None:
        """Leave nothing behind, unless `commit` came first."""
        if self.file is None:
            return
        # Closing writes what is buffered, and fails again where writing did. What compresses is closed first: left to
        # the garbage collector, it would write to a closed file.
        for open_file in (self.stream, self.file):
            with suppress(OSError, ValueError):
                if open_file is not None:
                    open_file.close()
        with suppress(OSError, ValueError):
            self.temporary.unlink(missing_ok=True)
        self.file = None
