"""Sources: files, compressed or not, and standard input, cut into raw rows. Nothing here looks inside a row."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import attrs

from turnparse._errors import SourceError, escape
from turnparse._json_array import ArraySplitter, Element

STDIN: Final = "-"
GZIP_MAGIC: Final = b"\x1f\x8b"
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
        name: what messages call it: its path, or ``-``.
        rows: the raw rows, lazily. Raises `SourceError` if the source proves damaged.
        blank_lines: how many lines of white space only have been passed over so far.
    """

    name: str
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
    name = escape(os.fspath(source), 300)
    try:
        raw: IO[bytes] = sys.stdin.buffer if name == STDIN else Path(source).open("rb", buffering=0)  # noqa: SIM115  # closed below
    except (OSError, ValueError) as error:
        raise SourceError(f"expected a readable file, found: {_reason(error)}", source=name) from None
    try:
        yield _opened(name, raw, on_bytes)
    finally:
        if raw is not sys.stdin.buffer:
            raw.close()


def _opened(name: str, raw: IO[bytes], on_bytes: Callable[[int], object] | None) -> Source:
    from isal import igzip

    counted: io.RawIOBase = _Counted(raw, on_bytes)
    buffered = io.BufferedReader(counted, CHUNK)
    result = Source(name, iter(()))
    try:
        zipped = buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        stream: IO[bytes] = igzip.open(buffered) if zipped else buffered  # type: ignore[no-untyped-call]  # isal's
    except (OSError, ValueError) as error:
        raise SourceError(f"expected a readable file, found: {_reason(error)}", source=name) from None
    result.rows = _guarded(_rows(stream, result), name)
    return result


class _Counted(io.RawIOBase):
    """A raw stream that tells how much was read from it."""

    def __init__(self, raw: IO[bytes], on_bytes: Callable[[int], object] | None) -> None:
        super().__init__()
        self._raw = raw
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        return len(data)


def _guarded(rows: Iterator[RawRow], name: str) -> Iterator[RawRow]:
    """Yield from *rows*, with what a damaged file raises turned into our own error."""
    try:
        yield from rows
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise SourceError(f"expected to read the source to its end, found: {_reason(error)}", source=name) from None


def _reason(error: Exception) -> str:
    return escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)


def _rows(stream: IO[bytes], source: Source) -> Iterator[RawRow]:
    """Yield the rows of JSON lines, or of a JSON array if the first thing in the stream is a bracket."""
    lines: Iterator[bytes] = iter(stream)
    line_number, row = 0, 0
    while (line := next(lines, None)) is not None:
        line_number += 1
        data = line.removeprefix(BOM) if line_number == 1 else line
        if _is_blank(data):
            source.blank_lines += 1
        elif row == 0 and data.lstrip().startswith(b"["):
            splitter = ArraySplitter(line_number)
            for element, at in _elements(splitter, data, stream):
                yield RawRow(element, at, row)
                row += 1
            # What follows the array is read as lines: a file of lines may begin with a list.
            lines = _lines_after(splitter.rest, stream)
            line_number = splitter.line - 1
            row = max(row, 1)
            if _is_blank(splitter.rest.split(b"\n", 1)[0]):
                next(lines, None)
                line_number += 1
        else:
            yield RawRow(_without_end(data), line_number, row)
            row += 1


def _elements(splitter: ArraySplitter, first: bytes, stream: IO[bytes]) -> Iterator[Element]:
    yield from splitter.feed(first)
    while not splitter.closed and (data := stream.read(CHUNK)):
        yield from splitter.feed(data)
    yield from splitter.finish()


def _lines_after(rest: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of *rest*, the last of which *stream* continues, and then those of *stream*."""
    *whole, begun = rest.split(b"\n")
    for line in whole:
        yield line + b"\n"
    if line := begun + stream.readline():
        yield line
    yield from stream


def _is_blank(line: bytes) -> bool:
    if not line.strip():
        return True
    # White space beyond ASCII is rare enough to be looked for only where JSON cannot begin.
    return not line.lstrip()[:1].isascii() and line.decode("utf-8", "replace").isspace()


def _without_end(line: bytes) -> bytes:
    """Return *line* without its line end, which is a line feed, or a carriage return and a line feed."""
    return line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
