"""Chunks of JSON: the rows of a file, cut at line ends or between the elements of an array."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Final

import attrs

from turnparse._errors import DamagedError, RowError, SourceError
from turnparse._json_array import ArraySplitter, Element, LongElement, Mender, is_sound
from turnparse._json_begun import is_begun
from turnparse._limits import KEPT
from turnparse._streams import CHUNK, LONGEST_MAGIC, Counted, damaged

BOM: Final = b"\xef\xbb\xbf"
UNICODE_SPACES: Final = frozenset([*range(0x1C, 0x20), *range(0x80, 0x100)])
"""What white space that only `str` knows begins with, as a byte."""
OTHER_ENCODINGS: Final = {
    encoding: re.compile(pattern, re.DOTALL)
    for encoding, pattern in {
        "UTF-32": rb"\xff\xfe\0\0|\0\0\xfe\xff",
        "UTF-32LE": rb"(?:\s\0\0\0)*+[{\[]\0\0\0[\s\"{}\[\]]\0\0\0",
        "UTF-32BE": rb"(?:\0\0\0\s)*+\0\0\0[{\[]\0\0\0[\s\"{}\[\]]",
        "UTF-16": rb"\xff\xfe(?:[^\0]\0|\Z)|\xfe\xff(?:\0[^\0]|\Z)",
        "UTF-16LE": rb"(?:\s\0)*+[{\[]\0[\s\"{}\[\]]\0",
        "UTF-16BE": rb"(?:\0\s)*+\0[{\[]\0[\s\"{}\[\]]",
    }.items()
}
"""{an encoding that is not read: what a file in it begins with}: a byte order mark and a plain character; or, perhaps after blank
lines, two of those that begin JSON."""
MOST_UNDECIDED: Final = 1 << 16
"""Bytes at the start of a file that are looked at for that at most."""
BLANKS: Final = b"\t\n\v\f\r \0"
"""The bytes of blank lines in any of these."""
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
        size: how many bytes it has, if it is too long and *data* is only the first of them; else None.
        first_read: where it was read before it was set aside, if that is what it is given back from; else None.
    """

    data: bytes
    line: int | None
    row: int
    size: int | None = None
    first_read: FirstRead | None = None

    @classmethod
    def too_long(cls, begun: bytes, line: int | None, size: int, row: int = 0) -> RawRow:
        """Return the row of *size* bytes that begins with *begun*, `KEPT` bytes and more if it has them."""
        end = min(KEPT, len(begun))
        # No character is cut in two: what goes on one begins with the bits 10.
        while end < len(begun) and end > KEPT - 4 and begun[end] & 0xC0 == 0x80:  # noqa: PLR2004
            end -= 1
        return cls(begun[:end], line, row, size)

    def require_whole(self) -> None:
        """Check that the row is not too long.

        Raises:
            RowError: if it is.
        """
        if self.size is not None:
            size, kept = f"{self.size:,} bytes", f"{len(self.data):,}"
            # What Arrow holds of a row is another number of bytes than it has as JSON: none is a part of the other.
            found = (
                f"{size}, of which {kept} are"
                if self.line is not None
                else f"{size} in its table; as JSON, its first {kept} are"
            )
            msg = f"expected a row that is shorter, found {found} kept here; to read it, name a larger --max-row-bytes"
            raise RowError(msg, code="row-too-long")


@attrs.frozen
class Chunk:
    """Some rows of a source that follow each other.

    Attributes:
        data: whole lines with their ends, of which the very last line of a source may lack its own; of an array, the
            elements' texts with a line feed after each.
        line: the 1-based line where the first begins; of an array the rows have their own.
        elements: the rows, if they are elements of an array, else None. A row that is too long has a chunk of its own.
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


def chunks_of(stream: io.BufferedReader, counted: Counted, limit: int) -> Iterator[Chunk]:
    """Yield the chunks of JSON lines, or of a JSON array if the first thing in the stream is a bracket.

    Args:
        stream: what the file holds, unzipped.
        counted: what counts the bytes of the file.
        limit: how many bytes a row may have.
    """
    head = b""
    while len(head) < LONGEST_MAGIC or _is_undecided(head):
        # What is wrong is told where it is met again, after the rows that come before it.
        data, _ = _more(stream)
        if not data:
            break
        head += data
    for encoding, begun in OTHER_ENCODINGS.items():
        if begun.match(head, 0, MOST_UNDECIDED):
            msg = f"expected UTF-8, found {encoding}; convert it first, as with iconv -f {encoding} -t UTF-8"
            raise SourceError(msg)
    head = head.removeprefix(BOM)
    line = 1
    while True:
        # Blank lines are counted and let go, however many there are.
        begin = _end_of_blank_lines(head)
        if begin:
            yield Chunk(head[:begin], line)
            line += head.count(b"\n", 0, begin)
            head = head[begin:]
        if len(head) > max(limit, CHUNK) or not _may_be_blank(head) or not (data := stream.read1(CHUNK)):
            break
        head += data
    if _begins_like_an_array(head):
        head, is_line = _with_first_line(head, stream, max(limit, CHUNK))
        if is_line:
            yield from _line_chunks(head, line, stream, limit)
            return
        splitter = ArraySplitter(line, limit)
        yield from _grouped(_elements(splitter, head, stream, counted))
        # What follows the array is read as lines: a file of lines may begin with a list.
        head, line = splitter.rest, splitter.line
        while b"\n" not in head and len(head) <= max(limit, CHUNK) and (data := stream.read1(CHUNK)):
            head += data
        first, end, rest = head.partition(b"\n")
        if is_blank(first):
            head, line = rest, line + len(end)
    yield from _line_chunks(head, line, stream, limit)


def _begins_like_an_array(head: bytes) -> bool:
    return head.lstrip().startswith(b"[")


def _with_first_line(head: bytes, stream: io.BufferedReader, most: int) -> tuple[bytes, bool]:
    """Tell whether *head*, which begins with a bracket, is a line like others: a whole list of no objects, and lines follow.

    Rows are objects. So a list of them is an array of rows, even where lines follow it; any other is one bad row.

    Args:
        head: what has been read.
        stream: what follows.
        most: how many bytes are read at most to find the next line.

    Returns:
        What has been read by then, and whether it is so.
    """
    if _ROWS.match(head):
        return head, False
    end = head.find(b"\n")
    while end < 0 and len(head) <= most and (data := stream.read1(CHUNK)):
        end = data.find(b"\n") + len(head) if b"\n" in data else -1
        head += data
    if end < 0 or not _is_list_of_no_rows(head[:end]):
        return head, False
    begin = end + 1
    while len(head) - end <= most:
        begin += _end_of_blank_lines(head[begin:])
        if not _may_be_blank(head[begin:]) or not (data := stream.read1(CHUNK)):
            break
        head += data
    after = head[begin:].lstrip()
    # A bracket that a comma or another one follows did not close the array.
    return head, not is_blank(after) and after[0] not in b",]"


_ROWS: Final = re.compile(rb"\s*\[\s*\{")


def _is_list_of_no_rows(line: bytes) -> bool:
    import orjson

    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, list) and not any(isinstance(element, dict) for element in found)


def _is_undecided(head: bytes) -> bool:
    """Tell whether *head*, of which more may follow, may be blank lines in one of `OTHER_ENCODINGS` so far."""
    return b"\0" in head and len(head) < MOST_UNDECIDED and len(head.lstrip(BLANKS)) < LONGEST_MAGIC


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


def _line_chunks(begun: bytes, line: int, stream: io.BufferedReader, limit: int) -> Iterator[Chunk]:
    """Yield what *stream* holds after *begun*, in chunks cut after a line feed; the first line's number is *line*."""
    parts, size, last = [begun], len(begun), 0 if b"\n" in begun else -1
    failure: OSError | None = None
    data = begun
    while (data or parts) and failure is None:
        # What was read before any damage is sound, but for the line that it cuts.
        data, failure = _more(stream)
        if data:
            parts.append(data)
            size += len(data)
            last = len(parts) - 1 if b"\n" in data else last
            # A line may have so many bytes, and a return before its line feed.
            if last < 0 and size > limit + 1:
                skipped, data, failure = yield from _long_line(parts, line, stream)
                line += skipped
                parts, size, last = [data], len(data), 0 if b"\n" in data else -1
                continue
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
            yield from [Chunk(whole, line)] if len(whole) <= limit else _without_long_lines(whole, line, limit)
            line += _line_feeds(whole)
        del whole
    if failure is not None:
        if isinstance(failure, DamagedError):
            failure.line = line
        raise failure


def _more(stream: io.BufferedReader) -> tuple[bytes, OSError | None]:
    """Return what comes next in *stream*, nothing at its end; or what is wrong."""
    try:
        return stream.read1(CHUNK), None
    except OSError as error:
        return b"", error


def _long_line(
    parts: list[bytes], line: int, stream: io.BufferedReader
) -> Generator[Chunk, None, tuple[int, bytes, OSError | None]]:
    """Read the line that begins with *parts* to its end, and yield it as a row that is too long.

    Returns:
        How many lines that were; what comes after it; and what went wrong, in which case nothing is yielded.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    kept, size, end, rest = b"", 0, -1, b""
    blank, returned = True, False
    while end < 0:
        data, failure = (parts.pop(0), None) if parts else _more(stream)
        if failure is not None:
            return 0, b"", failure
        if not data and not parts:
            break
        end = data.find(b"\n")
        if end >= 0:
            data, rest = data[:end], data[end + 1 :]
        if len(kept) <= KEPT:
            kept += data[: KEPT + 1]
        size += len(data)
        blank = blank and not decoder.decode(data).strip()
        returned = data.endswith(b"\r") if data else returned
    if end >= 0 and returned:
        size -= 1
    if blank and not decoder.decode(b"", final=True):
        yield Chunk(b"\n", line)
    else:
        yield Chunk(b"", 0, (RawRow.too_long(kept[:size], line, size),))
    return (1 if end >= 0 else 0), rest, None


def _without_long_lines(whole: bytes, line: int, limit: int) -> Iterator[Chunk]:
    """Yield *whole*, which is longer than *limit*, in chunks, with rows that are longer in chunks of their own."""
    begin = at = 0
    number = first = line
    while at < len(whole):
        feed = whole.find(b"\n", at)
        end = len(whole) if feed < 0 else feed
        size = end - at - (feed >= 0 and whole.endswith(b"\r", at, end))
        if size > limit and not is_blank(whole[at:end]):
            if begin < at:
                yield Chunk(whole[begin:at], first)
            yield Chunk(b"", 0, (RawRow.too_long(whole[at : at + min(size, KEPT + 1)], number, size),))
            begin, first = end + 1, number + 1
        at, number = end + 1, number + 1
    if begin < len(whole):
        yield Chunk(whole[begin:], first)


def _line_feeds(data: bytes) -> int:
    """Return how many line feeds there are in *data*."""
    if len(data) < CHUNK:
        return data.count(b"\n")
    # Four times as fast, and loaded anyway where there is so much to read.
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _grouped(elements: Iterable[Element | LongElement]) -> Iterator[Chunk]:
    """Yield the elements of an array in chunks; what is there before an error is yielded before it is raised."""
    rows: list[RawRow] = []
    size = 0
    failure: OSError | None = None
    source = iter(elements)
    while failure is None:
        element = None
        try:
            element = next(source, None)
        except OSError as error:
            failure = error
        is_long = isinstance(element, LongElement)
        if element is not None and not is_long:
            rows.append(RawRow(element[0], element[1], len(rows)))
            size += len(element[0])
        if rows and (element is None or is_long or size >= CHUNK):
            yield Chunk(b"\n".join(row.data for row in rows) + b"\n", 0, tuple(rows))
            rows, size = [], 0
        if isinstance(element, LongElement):
            yield Chunk(b"", 0, (RawRow.too_long(element.begun, element.line, element.size),))
        if element is None:
            break
    if failure is not None:
        raise failure


def _elements(
    splitter: ArraySplitter, first: bytes, stream: io.BufferedReader, counted: Counted
) -> Iterator[Element | LongElement]:
    """Yield the elements of an array that begins with *first* and goes on in *stream*.

    Raises:
        DamagedError: after the last sound element, if the array has no end: what comes after that is the rest.
    """
    mender = Mender()
    start = splitter.line
    elements = splitter.feed(first)
    try:
        while True:
            for element in elements:
                yield from mender.take(element)
            if splitter.closed:
                while splitter.goes_on is None and (data := stream.read1(CHUNK)):
                    splitter.follow(data)
                if not splitter.goes_on:
                    yield from mender.finish()
                    return
                elements = splitter.reopen()
            elif data := stream.read1(CHUNK):
                elements = splitter.feed(data)
            else:
                break
    except DamagedError as error:
        # As of lines, what the damage cuts is lost, and nothing before it.
        error.line = splitter.reached
        yield from mender.finish()
        raise
    yield from _ended(splitter, mender, start, counted)


def _ended(splitter: ArraySplitter, mender: Mender, start: int, counted: Counted) -> Iterator[Element | LongElement]:
    """Yield what is left where the text ends before the array does, which begins in line *start*.

    Raises:
        DamagedError: at last, unless the end was swallowed by a damaged element, or there is no array.
    """
    left = splitter.finish()
    if left is None or (is_begun(left[0]) and not mender.has_swallowed(left[0])):
        # Of the rest nobody knows how many rows it was: what there is of an element belongs to it.
        yield from mender.finish()
        raise _endless(counted, splitter.line if left is None else left[1])
    text, line = left[:2]
    # What swallowed its neighbours swallowed the array's end as well.
    swallowed = text.endswith(b"]")
    is_lines = not (splitter.commas or swallowed or is_sound(left)) and b"\n" in text
    if is_lines:
        # The bracket was no array's: a file of lines has a bad first line.
        size = left.size if isinstance(left, LongElement) else len(text)
        text, size = b"[" + b"\n" * (line - start) + text, size + 1 + line - start
        left = (text, start) if size <= splitter.limit else LongElement(text, start, size)
    found = [*mender.take(left), *mender.finish()]
    if swallowed or is_lines:
        yield from found
        return
    at = splitter.line if is_sound(found[-1]) else found.pop()[1]
    yield from found
    raise _endless(counted, at)


def _endless(counted: Counted, line: int) -> DamagedError:
    return damaged("the array has no end: the file was cut off", counted.count, line=line)


def is_blank(line: bytes) -> bool:
    """Tell whether *line* is white space only, as `str` knows it."""
    bare = line.strip()
    if not bare:
        return True
    # White space that only `str` knows is rare enough to be looked for only where no row begins.
    return bare[0] not in b"{[" and bare.decode("utf-8", "replace").isspace()
