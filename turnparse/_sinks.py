"""Outputs: files of JSON lines, compressed or not, and standard output. A file appears only when it is whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Any, Final

import attrs

from turnparse._errors import OptionError, SourceError, escape

STDOUT: Final = "-"
SUFFIXES: Final = (".jsonl", ".jsonl.gz")
GZIP_LEVEL: Final = 2
"""isal's levels are 0 to 3; 3 takes twice the time of 2 for a file 2 % smaller."""


def checked_output(output: str | os.PathLike[str]) -> str:
    """Return *output* as a string, if something can be written there.

    Raises:
        OptionError: if its name ends in none of `SUFFIXES` and is not ``-``, or it is a folder.
    """
    name = os.fspath(output)
    if not isinstance(name, str) or (name != STDOUT and not name.endswith(SUFFIXES)):
        msg = f"expected an output that ends in {' or '.join(SUFFIXES)}, or {STDOUT}, found {escape(str(name))!r}"
        raise OptionError(msg)
    if name != STDOUT and Path(name).is_dir():
        msg = f"expected a file to write, found a folder: {escape(name)!r}"
        raise OptionError(msg)
    return name


@attrs.define
class JsonLines:
    """A file of JSON lines that is opened when its first record is written, and put in its place by `commit`.

    Attributes:
        name: its path, or ``-``.
    """

    name: str
    _file: IO[bytes] | None = None
    _stream: IO[bytes] | None = None

    @property
    def _temporary(self) -> Path:
        path = Path(self.name)
        return path.with_name(f".{path.name}.{os.getpid()}.part")

    def open(self) -> None:
        """Make the file, still under a temporary name in the same folder.

        Raises:
            SourceError: if it cannot be made.
        """
        if self._stream is not None:
            return
        if self.name == STDOUT:
            self._stream = sys.stdout.buffer
            return
        try:
            self._file = self._stream = self._temporary.open("wb")
        except (OSError, ValueError) as error:
            raise self._failure(error) from None
        if self.name.endswith(".gz"):
            from isal import igzip

            # Neither name nor time goes into the header: equal runs give equal bytes.
            zipped: Any = igzip.IGzipFile("", "wb", GZIP_LEVEL, self._file, mtime=0)  # type: ignore[no-untyped-call]  # isal's
            self._stream = zipped

    def write(self, record: dict[str, Any]) -> None:
        """Write one record.

        Raises:
            SourceError: if it cannot be written, as when the disk is full.
        """
        import orjson

        self.open()
        assert self._stream is not None  # noqa: S101  # as of the line above
        try:
            self._stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise self._failure(error) from None

    def commit(self) -> None:
        """Put the file in its place, whole.

        Raises:
            SourceError: if that fails.
        """
        if self._stream is None:
            return
        try:
            if self.name == STDOUT:
                self._stream.flush()
                return
            if self._stream is not self._file:
                self._stream.close()
            assert self._file is not None  # noqa: S101  # set together with the stream
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.name)
        except OSError as error:
            raise self._failure(error) from None
        finally:
            self._stream = None

    def discard(self) -> None:
        """Leave nothing behind, unless `commit` came first."""
        if self._stream is None or self.name == STDOUT:
            return
        self._stream = None
        assert self._file is not None  # noqa: S101  # set together with the stream
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> SourceError:
        reason = escape(getattr(error, "strerror", None) or str(error), 200)
        return SourceError(f"expected to write the output, found: {reason}", source=escape(self.name, 300))
