"""Sources: files, compressed or not, and standard input, cut into chunks of whole rows. Nothing here looks inside a row."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import attrs

from turnparse._digests import Content, Digest, content_of
from turnparse._errors import SourceError, escape, require_path
from turnparse._json_array import ArraySplitter, Element, Mender
from turnparse._streams import CHUNK, LONGEST_MAGIC, Counted, damages, is_table, reason, unzipped

STDIN: Final = "-"
BOM: Final = b"\xef\xbb\xbf"
UNICODE_SPACES: Final = frozenset([*range(0x1C, 0x20), *range(0x80, 0x100)])
"""What white space that only `str` knows begins with, as a byte."""
SPACES: Final = re.compile(rb"\s*")
LINE_FEEDS: Final = re.compile(rb"\n+")


@attrs.frozen
class FirstRead:
    """Where a row was first read, which was set aside then.

    Attributes:
        source: the file (or other source); None if that was not known.
        line: the 1-based line; None if the source has no lines.
        row: its 0-based number in that source.
        notes: what was told of it besides, if it could not be kept whole.
        reason: the first of its codes then, and the message; None if there are none.
    """

    source: str | None
    line: int | None
    row: int
    notes: Mapping[str, int] = attrs.field(factory=dict)
    reason: tuple[str, str] | None = None


@attrs.frozen
class RawRow:
    """One row as it stands in its source.

    Attributes:
        data: the line without its line end, or the text of an array's element.
        line: the 1-based line where it starts; None if the source has no lines.
        row: its 0-based number among the rows of its source, or of its chunk.
        first_read: where it was read before it was set aside, if that is what it is given back from; else None.
    """

    data: bytes
    line: int | None
    row: int
    first_read: FirstRead | None = None


@attrs.frozen
class Chunk:
    """Some rows of a source that follow each other.

    Attributes:
        data: whole lines with their ends, of which the very last line of a source may lack its own; of an array, the
            elements' texts with a line feed after each.
        line: the 1-based line where the first begins; of an array the rows have their own.
        elements: the rows, if they are elements of an array, else None.
    """

    data: bytes
    line: int
    elements: tuple[RawRow, ...] | None = None

    def rows(self) -> tuple[list[RawRow], int]:
        """Return the rows, their numbers counted from the chunk's first, and how many blank lines there are."""
        if self.elements is not None:
            return list(self.elements), 0
        rows: list[RawRow] = []
        blank = 0
        number, begin, data = self.line, 0, self.data
        while begin < len(data):
            if data.startswith(b"\n", begin):
                # A file may be line feeds and nothing else: a run of them is one step.
                run = len(LINE_FEEDS.match(data, begin)[0])  # type: ignore[index]  # it does match: see the line above
                blank, number, begin = blank + run, number + run, begin + run
                continue
            end = data.find(b"\n", begin)
            end = len(data) if end < 0 else end
            line = data[begin:end]
            if is_blank(line):
                blank += 1
            else:
                ended = line.removesuffix(b"\r") if end < len(data) else line
                rows.append(RawRow(ended, number, len(rows)))
            number, begin = number + 1, end + 1
        return rows, blank


@attrs.define
class Source:
    """A source being read.

    Attributes:
        name: what messages call it: its path, control characters escaped, or ``-``.
        path: its path, or ``-``; what is not UTF-8 in it escaped.
        chunks: its rows in chunks, lazily, if it is of JSON. Raises `SourceError` if the source proves damaged.
        table: the open file, if it holds Arrow batches instead (Parquet or Arrow IPC), else None.
        digested: what is in its bytes as they were read, if that was asked for; see `content`.
        blank_lines: how many lines of white space only `rows` has passed over so far.
    """

    name: str
    path: str
    chunks: Iterator[Chunk]
    table: IO[bytes] | None = None
    digested: tuple[io.BufferedReader, Digest] | None = None
    blank_lines: int = 0

    @property
    def rows(self) -> Iterator[RawRow]:
        """The raw rows of JSON, lazily, numbered through; instead of `chunks`."""
        number = 0
        for chunk in self.chunks:
            rows, blank = chunk.rows()
            for row in rows:
                yield attrs.evolve(row, row=number + row.row)
            number += len(rows)
            self.blank_lines += blank

    def content(self, check: Callable[[], object]) -> Content | None:
        """Return what the whole source holds, once its rows have been read; None if that was not asked for.

        Args:
            check: called now and then; what it raises stops this.

        Raises:
            SourceError: if it cannot be read to its end.
        """
        try:
            if self.table is not None:
                # Its columns were read from here and there.
                self.table.seek(0)
                return content_of(self.table, check)
            if self.digested is None:
                return None
            stream, digest = self.digested
            while stream.read(CHUNK):
                check()
        except (OSError, ValueError) as error:
            raise _unread(error, self.name) from None
        return digest.content


@contextmanager
def open_source(
    source: str | os.PathLike[str], on_bytes: Callable[[int], object] | None = None, *, digested: bool = False
) -> Iterator[Source]:
    """Open a file, or standard input as ``-``.

    Args:
        source: a path, or ``-``.
        on_bytes: called with the number of bytes read, as they are read, before decompression.
        digested: whether the source is to tell its `content`.

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
        raise SourceError(f"expected a readable file, found: {reason(error)}", source=name) from None
    try:
        yield _opened(name, path.encode("utf-8", "backslashreplace").decode(), raw, on_bytes, digested=digested)
    finally:
        if not standard:
            raw.close()


def _opened(
    name: str, path: str, raw: IO[bytes], on_bytes: Callable[[int], object] | None, *, digested: bool
) -> Source:
    digest = Digest() if digested else None
    counted: Any = Counted(raw, digest)
    buffered: Any = io.BufferedReader(counted, CHUNK)
    try:
        begin = buffered.peek(LONGEST_MAGIC)
    except (OSError, ValueError) as error:
        raise SourceError(f"expected a readable file, found: {reason(error)}", source=name) from None
    if not is_table(begin):
        chunks = _guarded(_chunks(unzipped(buffered, begin)), name)
        told = chunks if on_bytes is None else _told(chunks, counted, on_bytes)
        return Source(name, path, told, digested=None if digest is None else (buffered, digest))
    if path == STDIN:
        msg = "expected JSON on standard input, found Parquet or Arrow: name its file, for such formats need seeking"
        raise SourceError(msg, source=name)
    return Source(name, path, iter(()), raw)


def _told(chunks: Iterator[Chunk], counted: Counted, on_bytes: Callable[[int], object]) -> Iterator[Chunk]:
    """Yield from *chunks*, and tell *on_bytes* how much has been read for each. What that raises is the caller's own."""
    told = 0
    for chunk in chunks:
        on_bytes(counted.count - told)
        told = counted.count
        yield chunk
    if counted.count > told:
        on_bytes(counted.count - told)


def _unread(error: Exception, name: str) -> SourceError:
    return SourceError(f"expected to read the source to its end, found: {reason(error)}", source=name)


def _guarded(chunks: Iterator[Chunk], name: str) -> Iterator[Chunk]:
    """Yield from *chunks*, with what a damaged file raises turned into our own error."""
    try:
        yield from chunks
    except damages() as error:
        raise _unread(error, name) from None


def _chunks(stream: io.BufferedReader) -> Iterator[Chunk]:
    """Yield the chunks of JSON lines, or of a JSON array if the first thing in the stream is a bracket."""
    head = b""
    while len(head) < len(BOM) and (data := stream.read1(CHUNK)):
        head += data
    head = head.removeprefix(BOM)
    line = 1
    while True:
        # Blank lines are counted and let go, however many there are.
        begin = _end_of_blank_lines(head)
        if begin:
            yield Chunk(head[:begin], line)
            line += head.count(b"\n", 0, begin)
            head = head[begin:]
        if not _may_be_blank(head) or not (data := stream.read1(CHUNK)):
            break
        head += data
    if head.lstrip().startswith(b"["):
        splitter = ArraySplitter(line)
        yield from _grouped(_elements(splitter, head, stream))
        # What follows the array is read as lines: a file of lines may begin with a list.
        head, line = splitter.rest, splitter.line
        while b"\n" not in head and (data := stream.read1(CHUNK)):
            head += data
        first, end, rest = head.partition(b"\n")
        if is_blank(first):
            head, line = rest, line + len(end)
    yield from _line_chunks(head, line, stream)


def _end_of_blank_lines(head: bytes) -> int:
    """Return where the first line of *head* begins that is not blank, or is not whole."""
    begin = end = 0
    while end >= 0:
        solid = SPACES.match(head, begin).end()  # type: ignore[union-attr]  # it matches nothing too
        begin = head.rfind(b"\n", begin, solid) + 1 or begin
        end = head.find(b"\n", begin)
        if end < 0 or not is_blank(head[begin:end]):
            break
        begin = end + 1
    return begin


def _may_be_blank(line: bytes) -> bool:
    """Tell whether *line*, of which more may follow, is white space so far."""
    bare = line.lstrip()
    # The last character may not be whole yet.
    return not bare or (bare[0] in UNICODE_SPACES and not bare.decode("utf-8", "ignore").strip())


def _line_chunks(begun: bytes, line: int, stream: io.BufferedReader) -> Iterator[Chunk]:
    """Yield what *stream* holds after *begun*, in chunks cut after a line feed; the first line's number is *line*."""
    parts, size, last = [begun], len(begun), 0 if b"\n" in begun else -1
    failure: Exception | None = None
    data = begun
    while data or parts:
        try:
            data = stream.read1(CHUNK)
        except damages() as error:
            # What was read before the damage is sound, but for the line that it cuts.
            failure, data = error, b""
        if data:
            parts.append(data)
            size += len(data)
            last = len(parts) - 1 if b"\n" in data else last
            if size < CHUNK or last < 0:
                continue
        elif failure is None:
            last = len(parts)
        elif last < 0:
            break
        cut = parts[last].rfind(b"\n") + 1 if last < len(parts) else 0
        # The parts are let go before the whole is used: a line may be as long as memory allows.
        left = [parts[last][cut:], *parts[last + 1 :]] if last < len(parts) else []
        parts[last:] = [parts[last][:cut]] if last < len(parts) else []
        whole = b"".join(parts)
        parts, last = [part for part in left if part], -1
        size = sum(map(len, parts))
        if whole:
            yield Chunk(whole, line)
            line += _line_feeds(whole)
        del whole
        if failure is not None:
            break
    if failure is not None:
        raise failure


def _line_feeds(data: bytes) -> int:
    """Return how many line feeds there are in *data*."""
    if len(data) < CHUNK:
        return data.count(b"\n")
    # Four times as fast, and loaded anyway where there is so much to read.
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _grouped(elements: Iterable[Element]) -> Iterator[Chunk]:
    """Yield the elements of an array in chunks; what is there before an error is yielded before it is raised."""
    rows: list[RawRow] = []
    size = 0
    failure: Exception | None = None
    source = iter(elements)
    while failure is None:
        element = None
        try:
            element = next(source, None)
        except damages() as error:
            failure = error
        if element is not None:
            rows.append(RawRow(element[0], element[1], len(rows)))
            size += len(element[0])
        if rows and (element is None or size >= CHUNK):
            yield Chunk(b"\n".join(row.data for row in rows) + b"\n", 0, tuple(rows))
            rows, size = [], 0
        if element is None:
            break
    if failure is not None:
        raise failure


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
            while splitter.goes_on is None and (data := stream.read(CHUNK)):
                splitter.follow(data)
            if not splitter.goes_on:
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


def is_blank(line: bytes) -> bool:
    """Tell whether *line* is white space only, as `str` knows it."""
    bare = line.strip()
    if not bare:
        return True
    # White space that only `str` knows is rare enough to be looked for only where no row begins.
    return bare[0] not in b"{[" and bare.decode("utf-8", "replace").isspace()
