"""Sources: files, compressed or not, and standard input, cut into raw rows. Nothing here looks inside a row."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import attrs

from turnparse._errors import SourceError, escape, require_path
from turnparse._json_array import ArraySplitter, Element, Mender

STDIN: Final = "-"
GZIP_MAGIC: Final = b"\x1f\x8b"
UNZIPPED: Final = 1 << 16
"""Bytes unzipped at a time: if the next ones prove damaged, at most so many before them are lost."""
BOM: Final = b"\xef\xbb\xbf"
CHUNK: Final = 1 << 20
"""Bytes read at a time from a JSON array: large against a call's cost, small against any machine's memory."""


@attrs.frozen
class RawRow:
    """One row as it stands in its source.

    Attributes:
        data: the line without its line end, or the text of an array's element.
        line: the 1-based line where it starts.
        row: its 0-based number among the rows of its source.
    """

    data: bytes
    line: int
    row: int


@attrs.define
class Source:
    """A source being read.

    Attributes:
        name: what messages call it: its path, control characters escaped, or ``-``.
        path: its path, or ``-``; what is not UTF-8 in it escaped.
        rows: the raw rows, lazily. Raises `SourceError` if the source proves damaged.
        blank_lines: how many lines of white space only have been passed over so far.
    """

    name: str
    path: str
    rows: Iterator[RawRow]
    blank_lines: int = 0


@contextmanager
def open_source(source: str | os.PathLike[str], on_bytes: Callable[[int], object] | None = None) -> Iterator[Source]:
    """Open a file, or standard input as ``-``; gzip is recognised by its first bytes, not by a name.

    Args:
        source: a path, or ``-``.
        on_bytes: called with the number of bytes read, as they are read, before decompression.

    Raises:
        SourceError: if it cannot be opened.
    """
    path = require_path(source, "the source")
    name = escape(path, 300)
    standard = path == STDIN
    if standard and sys.stdin is None:
        raise SourceError("expected to read standard input, found it closed", source=name)
    try:
        raw: IO[bytes] = sys.stdin.buffer if standard else Path(path).open("rb", buffering=0)  # noqa: SIM115  # closed below
    except (OSError, ValueError) as error:
        raise SourceError(f"expected a readable file, found: {_reason(error)}", source=name) from None
    try:
        yield _opened(name, path.encode("utf-8", "backslashreplace").decode(), raw, on_bytes)
    finally:
        if not standard:
            raw.close()


def _opened(name: str, path: str, raw: IO[bytes], on_bytes: Callable[[int], object] | None) -> Source:
    counted: io.RawIOBase = _Counted(raw, on_bytes)
    buffered = io.BufferedReader(counted, CHUNK)
    result = Source(name, path, iter(()))
    try:
        zipped = buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
    except (OSError, ValueError) as error:
        raise SourceError(f"expected a readable file, found: {_reason(error)}", source=name) from None
    unzipped: io.RawIOBase = Gunzipped(buffered)
    stream: IO[bytes] = io.BufferedReader(unzipped, UNZIPPED) if zipped else buffered
    result.rows = _guarded(_rows(stream, result), name)
    return result


class Gunzipped(io.RawIOBase):
    """What is in a gzip stream, of one member or several; an error comes only after all that was read before it."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._member: Any = None
        self._waiting = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        while not self._ended:
            if self._member is None or self._member.eof:
                self._begin()
                continue
            data, self._waiting = self._waiting, b""
            if not data and self._member.needs_input and not (data := self._stream.read1(CHUNK)):
                raise EOFError("the file was cut off inside its compressed data")
            out: bytes = self._member.decompress(data, min(len(buffer), UNZIPPED))
            if out:
                buffer[: len(out)] = out
                return len(out)
        return 0

    def _begin(self) -> None:
        """Begin the next member, or see that there is none."""
        from isal import igzip_lib

        rest = b"" if self._member is None else self._member.unused_data
        # Members may be padded with zeros, as tape drives did.
        while not rest.strip(b"\0"):
            rest = self._stream.read1(CHUNK)
            if not rest:
                self._ended = True
                return
        rest = rest.lstrip(b"\0") if self._member is not None else rest
        while len(rest) < len(GZIP_MAGIC) and (more := self._stream.read1(CHUNK)):
            rest += more
        if not rest.startswith(GZIP_MAGIC):
            raise ValueError("something that is not gzip follows the compressed data")
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._waiting = rest


class _Counted(io.RawIOBase):
    """A raw stream that tells how much was read from it."""

    def __init__(self, raw: IO[bytes], on_bytes: Callable[[int], object] | None) -> None:
        super().__init__()
        self._raw = raw
        self._on_bytes = on_bytes
        self._begins = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        data = self._raw.read(len(buffer))
        while self._begins and data and len(data) < len(GZIP_MAGIC) <= len(buffer):
            # A pipe may hand over one byte at a time; the first two tell what is in it.
            more = self._raw.read(len(buffer) - len(data))
            data += more
            self._begins = bool(more)
        self._begins = False
        buffer[: len(data)] = data
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        return len(data)


def _guarded(rows: Iterator[RawRow], name: str) -> Iterator[RawRow]:
    """Yield from *rows*, with what a damaged file raises turned into our own error."""
    from isal import igzip_lib

    try:
        yield from rows
    except (EOFError, OSError, ValueError, zlib.error, igzip_lib.IsalError) as error:  # type: ignore[misc]  # isal types it loosely
        raise SourceError(f"expected to read the source to its end, found: {_reason(error)}", source=name) from None


def _reason(error: Exception) -> str:
    return escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)


def _rows(stream: IO[bytes], source: Source) -> Iterator[RawRow]:
    """Yield the rows of JSON lines, or of a JSON array if the first thing in the stream is a bracket."""
    lines: Iterator[bytes] = iter(stream)
    line_number, row = 0, 0
    may_be_array = True
    while (line := next(lines, None)) is not None:
        line_number += 1
        data = line.removeprefix(BOM) if line_number == 1 else line
        if _is_blank(data):
            source.blank_lines += 1
        elif may_be_array and data.lstrip().startswith(b"["):
            may_be_array = False
            splitter = ArraySplitter(line_number)
            for element, at in _elements(splitter, data, stream):
                yield RawRow(element, at, row)
                row += 1
            # What follows the array is read as lines: a file of lines may begin with a list.
            lines = _lines_after(splitter.rest, stream)
            line_number = splitter.line - 1
            if _is_blank(splitter.rest.split(b"\n", 1)[0]):
                next(lines, None)
                line_number += 1
        else:
            may_be_array = False
            yield RawRow(_without_end(data), line_number, row)
            row += 1


def _elements(splitter: ArraySplitter, first: bytes, stream: IO[bytes]) -> Iterator[Element]:
    """Yield the elements of an array that begins with *first* and goes on in *stream*.

    Raises:
        ValueError: after the last element, if the array has no end.
    """
    mender = Mender()
    start = splitter.line
    elements = splitter.feed(first)
    while True:
        for element in elements:
            yield from mender.take(element)
        if splitter.closed:
            while not splitter.rest.strip() and (data := stream.read(CHUNK)):
                splitter.rest += data
            if not splitter.rest.lstrip().startswith((b",", b"]")):
                yield from mender.finish()
                return
            elements = splitter.reopen()
        elif data := stream.read(CHUNK):
            elements = splitter.feed(data)
        else:
            break
    left = list(splitter.finish())
    # What swallowed its neighbours swallowed the array's end as well.
    ends = bool(left) and left[-1][0].endswith(b"]")
    if not splitter.commas and not ends:
        # The bracket was no array's: a file of lines has a bad first line.
        text, line = left[0] if left else (b"", start)
        left = [(b"[" + b"\n" * (line - start) + text, start)]
        ends = True
    for element in left:
        yield from mender.take(element)
    yield from mender.finish()
    if not ends:
        raise ValueError("the array has no end: the file was cut off")


def _lines_after(rest: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of *rest*, the last of which *stream* continues, and then those of *stream*."""
    *whole, begun = rest.split(b"\n")
    for line in whole:
        yield line + b"\n"
    if line := begun + stream.readline():
        yield line
    yield from stream


def _is_blank(line: bytes) -> bool:
    bare = line.strip()
    if not bare:
        return True
    # White space that only `str` knows is rare enough to be looked for only where no row begins.
    return bare[0] not in b"{[" and bare.decode("utf-8", "replace").isspace()


def _without_end(line: bytes) -> bytes:
    """Return *line* without its line end, which is a line feed, or a carriage return and a line feed."""
    return line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
