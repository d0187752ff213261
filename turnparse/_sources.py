"""Sources: files, compressed or not, and standard input, cut into chunks of whole rows. Nothing here looks inside a row."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import attrs

from turnparse._chunks import Chunk, RawRow, chunks_of
from turnparse._digests import Content, Digest, content_of
from turnparse._errors import FaultError, OptionError, SourceError, escape
from turnparse._limits import USUAL, Limits
from turnparse._retries import UnreachedError
from turnparse._stores import located, state_of, store_of
from turnparse._streams import CHUNK, LONGEST_MAGIC, Counted, Watched, is_table, reason, unzipped
from turnparse._urls import redacted

STDIN: Final = "-"


@attrs.define
class Source:
    """A source being read.

    Attributes:
        name: what messages call it: its path, control characters escaped, or ``-``.
        path: its path, or ``-``; what is not UTF-8 in it escaped.
        chunks: its rows in chunks, lazily, if it is of JSON. Raises `DamagedError` if the source proves damaged, `FaultError`
            if it cannot be read for another reason, `SourceError` if it is no JSON in UTF-8.
        table: the open file, if it holds Arrow batches instead (Parquet or Arrow IPC), else None.
        digested: what is in its bytes as they were read, if that was asked for; see `content`.
        blank_lines: how many lines of white space only `rows` has passed over so far.
    """

    name: str
    path: str
    chunks: Iterator[Chunk]
    table: Watched | None = None
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
            raise FaultError(
                f"expected to read the source to its end, found: {reason(error)}", source=self.name
            ) from None
        return digest.content


@contextmanager
def open_source(
    source: str | os.PathLike[str],
    on_bytes: Callable[[int], object] | None = None,
    limits: Limits = USUAL,
    *,
    digested: bool = False,
) -> Iterator[Source]:
    """Open a file, or standard input as ``-``.

    Args:
        source: a path, or ``-``.
        on_bytes: called with the number of bytes read, as they are read, before decompression.
        limits: what it may ask for.
        digested: whether the source is to tell its `content`.

    Raises:
        SourceError: if it cannot be opened.
    """
    path = located(source, "the source")
    name = escape(redacted(path), 300)
    standard = path == STDIN
    if standard and sys.stdin is None:
        raise SourceError("expected to read standard input, found it closed", source=name)
    try:
        raw: Any = sys.stdin.buffer if standard else store_of(path).open(path)
    except OptionError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(error, name) from None
    try:
        state = partial(state_of, raw) if standard else raw.state
        written = redacted(path).encode("utf-8", "backslashreplace").decode()
        yield _opened(Watched(raw, name, state), name, written, on_bytes, limits, digested=digested)
    finally:
        if not standard:
            raw.close()


def _opened(
    watched: Watched,
    name: str,
    path: str,
    on_bytes: Callable[[int], object] | None,
    limits: Limits,
    *,
    digested: bool,
) -> Source:
    digest = Digest() if digested else None
    counted: Any = Counted(watched, digest)
    buffered: Any = io.BufferedReader(counted, CHUNK)
    try:
        begin = buffered.peek(LONGEST_MAGIC)
    except (OSError, ValueError) as error:
        raise _unreadable(error, name) from None
    if not is_table(begin):
        again = watched if path != STDIN and watched.seekable() else None
        stream = unzipped(buffered, begin, limits, again)
        chunks = _guarded(chunks_of(stream, counted, limits.max_row_bytes), watched, name)
        told = chunks if on_bytes is None else _told(chunks, counted, on_bytes)
        return Source(name, path, told, digested=None if digest is None else (buffered, digest))
    if path == STDIN:
        msg = "expected JSON on standard input, found Parquet or Arrow: name its file, for such formats need seeking"
        raise SourceError(msg, source=name)
    if not watched.seekable():
        msg = "expected JSON where a file can be read from its start only, found Parquet or Arrow: save it first, and name that file"
        raise SourceError(msg, source=name)
    return Source(name, path, iter(()), watched)


def _unreadable(error: Exception, name: str) -> SourceError:
    """Return the error that says that nothing can be read of a file; a fault, if that may pass."""
    msg = f"expected a readable file, found: {reason(error)}"
    return (
        FaultError(f"{msg}; try again later", source=name)
        if isinstance(error, UnreachedError)
        else SourceError(msg, source=name)
    )


def _told(chunks: Iterator[Chunk], counted: Counted, on_bytes: Callable[[int], object]) -> Iterator[Chunk]:
    """Yield from *chunks*, and tell *on_bytes* how much has been read for each. What that raises is the caller's own."""
    told = 0
    for chunk in chunks:
        on_bytes(counted.count - told)
        told = counted.count
        yield chunk
    if counted.count > told:
        on_bytes(counted.count - told)


def _guarded(chunks: Iterator[Chunk], watched: Watched, name: str) -> Iterator[Chunk]:
    """Yield from *chunks*, and raise what is wrong with their file; if it was read amiss, then that."""
    try:
        yield from chunks
    except SourceError as error:
        watched.require_whole()
        error.source = name
        raise
    except OSError as error:
        watched.require_whole()
        raise FaultError(f"expected to read the source to its end, found: {reason(error)}", source=name) from None
    watched.require_whole()
