"""Byte streams: what a file holds once it is unzipped. A format is known by its first bytes, never by a name."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import IO, Any, Final

import attrs

from turnparse._digests import Digest
from turnparse._errors import DamagedError, FaultError, escape
from turnparse._limits import EXPANSION_FLOOR, Limits

PARQUET_MAGIC: Final = b"PAR1"
ARROW_MAGIC: Final = b"ARROW1"
"""What a file of Arrow batches begins with. Two bytes follow that should be zero; Arrow does not look at them."""

ARROW_STREAM: Final = re.compile(rb"\xff\xff\xff\xff(?!\0\0)..\0\0", re.DOTALL)
"""What a stream of Arrow batches begins with, since Arrow 0.15: this mark, and how long its schema is."""

LONGEST_MAGIC: Final = 8
"""Bytes at the start of a file that tell what is in it."""

UNZIPPED: Final = 1 << 16
"""Bytes unzipped at a time, and compressed ones given at a time: if they prove damaged, so many are gone through again."""

MOST_BYTES: Final = 4 * UNZIPPED
"""Bytes gone through one by one at most, and given of them."""

CHUNK: Final = 1 << 22
"""Bytes read at a time: large against a call's cost, which columns pay once a chunk, and small against any machine's memory."""


def zstd() -> Any:
    """Return the zstd module of the standard library, or before Python 3.14 what it was made from."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _gzip_decompressor() -> Any:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


class _Zlib:
    """The standard library's gzip, which is slow but gives all that comes before damage, under isal's names."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not self._member.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, max_length)


@attrs.frozen
class Compression:
    """A way of compressing streams.

    Attributes:
        name: what messages call it.
        magic: what each member of such a stream begins with.
        decompressor: makes what unzips one member.
        careful: likewise, but of what it is given byte by byte all comes out that comes before damage.
    """

    name: str
    magic: re.Pattern[bytes]
    decompressor: Callable[[], Any]
    careful: Callable[[], Any]


COMPRESSIONS: Final = (
    Compression("gzip", re.compile(rb"\x1f\x8b"), _gzip_decompressor, _Zlib),
    # A frame, or one to be skipped, which some writers begin with (RFC 8878, sections 3.1.1 and 3.1.2).
    Compression(
        "zstd",
        re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
        lambda: zstd().ZstdDecompressor(),
        lambda: zstd().ZstdDecompressor(),
    ),
)


class Watched(io.RawIOBase):
    """An open file that knows whether reading it failed, or it was changed meanwhile: then what was read is worth nothing.

    Args:
        raw: the file; it is not closed here.
        name: what messages call it.

    Attributes:
        at: the byte where the last read began.
    """

    def __init__(self, raw: IO[bytes], name: str) -> None:
        super().__init__()
        self._raw = raw
        self._name = name
        self._failure: OSError | None = None
        self._begun = self._state()
        self.at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._begun is not None

    def read(self, size: int = -1) -> bytes:
        if self._begun is not None:
            # What a damaged table asks for may be more than any memory holds.
            size = min(size, max(self._begun[0] - self.at, CHUNK))
        try:
            data = self._raw.read(size)
        except OSError as error:
            self._failure = error
            raise
        self.at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            self.at = self._raw.seek(offset, whence)
        except OSError as error:
            self._failure = error
            raise
        return self.at

    def tell(self) -> int:
        return self._raw.tell()

    def require_whole(self) -> None:
        """Check that what was read is what the file holds.

        Raises:
            FaultError: if it is not, or may not be.
        """
        if self._failure is not None:
            msg = f"expected to read the source to its end, but a read failed: {reason(self._failure)}; try again"
            raise FaultError(msg, source=self._name)
        if self._begun is not None and self._state() != self._begun:
            msg = "expected the source to stay as it is while it is read, found it changed; run again when it is whole"
            raise FaultError(msg, source=self._name)

    def _state(self) -> tuple[int, int] | None:
        """Return what changes when the file does: its size and the time of its last change; None of what is no regular file.

        A change that leaves the size, by somebody who puts that time back, is not seen. The time that nobody can put
        back (``ctime``) would show it, but so it would a link made, or rights changed, and these are no faults.
        """
        try:
            state = os.fstat(self._raw.fileno())
        except (OSError, ValueError):
            return None
        return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None


class Counted(io.RawIOBase):
    """A raw stream that knows how much was read from it.

    Its first read gives at least as many bytes as tell what is in it, if there are so many: a pipe may hand over
    one byte at a time.

    Args:
        raw: the stream.
        digest: what the bytes pass by, if anything.

    Attributes:
        count: how many bytes have been read.
    """

    def __init__(self, raw: Watched, digest: Digest | None = None) -> None:
        super().__init__()
        self._raw = raw
        self._digest = digest
        self._begins = True
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        data = self._raw.read(len(buffer))
        while self._begins and data and len(data) < LONGEST_MAGIC <= len(buffer):
            more = self._raw.read(len(buffer) - len(data))
            data += more
            self._begins = bool(more)
        self._begins = False
        buffer[: len(data)] = data
        self.count += len(data)
        if self._digest is not None:
            self._digest.add(data)
        return len(data)


class Unzipped(io.RawIOBase):
    """What is in a compressed stream, of one member or several; an error comes only after all that comes before it.

    Args:
        stream: a buffered reader of compressed bytes.
        compression: how they are compressed.
        limits: to how much they may unzip.
        again: the same bytes, to be read once more where they prove damaged; None if that cannot be done.
    """

    def __init__(self, stream: Any, compression: Compression, limits: Limits, again: Watched | None) -> None:
        super().__init__()
        self._stream = stream
        self._compression = compression
        self._limits = limits
        self._again = again
        self._member: Any = None
        self._waiting = b""
        self._ended = False
        self._taken = 0
        self._given = 0
        self._begun = (0, 0)
        self._saved = b""
        self._failure: DamagedError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        while self._saved or not self._ended:
            if self._saved:
                out, self._saved = self._saved[: len(buffer)], self._saved[len(buffer) :]
            elif self._failure is not None:
                raise self._failure
            elif self._member is None or self._member.eof:
                self._begin()
                continue
            else:
                out = self._decompressed(min(len(buffer), UNZIPPED))
            if out:
                buffer[: len(out)] = out
                self._given += len(out)
                return len(out)
        return 0

    def _read(self) -> bytes:
        data: bytes = self._stream.read1(UNZIPPED)
        self._taken += len(data)
        return data

    def _begin(self) -> None:
        """Begin the next member, or see that there is none."""
        rest = b"" if self._member is None else self._member.unused_data
        # Members may be padded with zeros, as tape drives did.
        while not rest.strip(b"\0"):
            rest = self._read()
            if not rest:
                self._ended = True
                return
        rest = rest.lstrip(b"\0") if self._member is not None else rest
        while len(rest) < LONGEST_MAGIC and (more := self._read()):
            rest += more
        self._begun = (self._taken - len(rest), self._given)
        if not self._compression.magic.match(rest):
            msg = f"something that is not {self._compression.name} follows the compressed data"
            raise damaged(msg, self._begun[0])
        self._member = self._compression.decompressor()
        self._waiting = rest

    def _decompressed(self, size: int) -> bytes:
        """Return what comes next, at most *size* bytes; nothing if that is not known yet."""
        if self._given > max(EXPANSION_FLOOR, self._limits.max_expansion * self._taken):
            msg = f"it unzips to more than {self._limits.max_expansion:,} times its bytes; if that is meant, name a larger "
            raise damaged(msg + "--max-expansion", self._taken)
        data, self._waiting = self._waiting, b""
        if not data and self._member.needs_input and not (data := self._read()):
            raise damaged("the file was cut off inside its compressed data", self._taken)
        try:
            out: bytes = self._member.decompress(data, size)
        except damages() as error:
            self._save(error)
            return b""
        return out

    def _save(self, error: Exception) -> None:
        """Keep what comes before the damage that *error* tells of, and where it shows."""
        begin, given = self._begun
        # What came before the last piece has been gone through; the first one may be a little longer.
        at = max(begin, self._taken - 2 * UNZIPPED)
        told = reason(error)
        if self._again is not None:
            self._saved, at, told = self._gone_through_again(self._again, begin, at, self._given - given, told)
        # Where the damage shows is not where it is: a byte that was changed makes others for a while before it is noticed.
        told += f"; what was unzipped from byte {begin:,} on may be wrong"
        self._failure = damaged(told, at)

    def _gone_through_again(self, again: Watched, begin: int, at: int, given: int, told: str) -> tuple[bytes, int, str]:
        """Unzip the member that begins at byte *begin* again, from byte *at* on one by one.

        Args:
            again: the file.
            begin: where the member begins.
            at: a byte before which there is no damage.
            given: how many unzipped bytes of the member are not wanted.
            told: what is said to be wrong with it.

        Returns:
            What comes between these and the damage, where that is, and what is wrong.
        """
        member = self._compression.careful()
        kept = b""
        try:
            for data in _piece_by_piece(again, begin, at):
                begin += len(data)
                while data or not (member.needs_input or member.eof):
                    out = member.decompress(data, UNZIPPED)
                    kept, given, data = kept + out[given:], max(0, given - len(out)), b""  # noqa: PLW2901  # it is used up
                if member.eof or len(kept) > MOST_BYTES:
                    break
        except damages() as error:
            return kept, begin - 1, reason(error)
        # What finds no fault is not to be trusted where another finds one.
        return b"", at, told


def _piece_by_piece(file: Watched, begin: int, at: int) -> Iterator[bytes]:
    """Yield what *file* holds from byte *begin* on, and from byte *at* on the next bytes one by one."""
    file.seek(begin)
    while begin < at and (data := file.read(min(UNZIPPED, at - begin))):
        begin += len(data)
        yield data
    for byte in file.read(MOST_BYTES):
        yield bytes([byte])


def is_table(begin: bytes) -> bool:
    """Tell whether a file that begins with *begin* holds Arrow batches: Parquet, or Arrow IPC of either kind."""
    return begin.startswith((PARQUET_MAGIC, ARROW_MAGIC)) or ARROW_STREAM.match(begin) is not None


def unzipped(stream: Any, begin: bytes, limits: Limits, again: Watched | None) -> Any:
    """Return what *stream*, which begins with *begin*, holds: unzipped if that is gzip's or zstd's, else itself.

    Args:
        stream: a buffered reader of bytes.
        begin: its first bytes.
        limits: to how much it may unzip.
        again: the file that it reads, from its first byte on; None if that cannot be read twice.

    Returns:
        A buffered reader of bytes. Reading it raises `DamagedError`.
    """
    for compression in COMPRESSIONS:
        if compression.magic.match(begin):
            return io.BufferedReader(Unzipped(stream, compression, limits, again), UNZIPPED)
    return stream


def damages() -> tuple[type[Exception], ...]:
    """Return what to unzip damaged data may raise."""
    from isal import igzip_lib

    isal_error: Any = igzip_lib.IsalError
    return (EOFError, ValueError, zlib.error, isal_error, zstd().ZstdError)


def damaged(reason: str, offset: int, source: str | None = None, line: int | None = None) -> DamagedError:
    """Return the error that says that a source is damaged from byte *offset* on."""
    msg = f"expected to read the source to its end, found: {reason} (byte {offset:,})"
    return DamagedError(msg, offset=offset, source=source, line=line)


def reason(error: Exception) -> str:
    """Return what *error* says, fit for a message."""
    return escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
