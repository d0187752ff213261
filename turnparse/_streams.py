"""Byte streams: what a file holds once it is unzipped. A format is known by its first bytes, never by a name."""

from __future__ import annotations

import io
import re
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import IO, Any, Final

import attrs

from turnparse._digests import Digest
from turnparse._errors import escape

PARQUET_MAGIC: Final = b"PAR1"
ARROW_MAGIC: Final = b"ARROW1\0\0"
ARROW_STREAM: Final = re.compile(rb"\xff\xff\xff\xff(?!\0\0)..\0\0", re.DOTALL)
"""What a stream of Arrow batches begins with, since Arrow 0.15: this mark, and how long its schema is."""

LONGEST_MAGIC: Final = len(ARROW_MAGIC)
"""Bytes at the start of a file that tell what is in it."""

UNZIPPED: Final = 1 << 16
"""Bytes unzipped at a time: if the next ones prove damaged, at most so many before them are lost."""

CHUNK: Final = 1 << 22
"""Bytes read at a time: large against a call's cost, which columns pay once a chunk, and small against any machine's memory."""


def zstd() -> Any:
    """Return the zstd module of the standard library, or before Python 3.14 what it was made from."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _gzip_decompressor() -> Any:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


@attrs.frozen
class Compression:
    """A way of compressing streams.

    Attributes:
        name: what messages call it.
        magic: what each member of such a stream begins with.
        decompressor: makes what unzips one member.
    """

    name: str
    magic: re.Pattern[bytes]
    decompressor: Callable[[], Any]


COMPRESSIONS: Final = (
    Compression("gzip", re.compile(rb"\x1f\x8b"), _gzip_decompressor),
    # A frame, or one to be skipped, which some writers begin with (RFC 8878, sections 3.1.1 and 3.1.2).
    Compression("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), lambda: zstd().ZstdDecompressor()),
)


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

    def __init__(self, raw: IO[bytes], digest: Digest | None = None) -> None:
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
    """What is in a compressed stream, of one member or several; an error comes only after all that was read before it.

    Args:
        stream: a buffered reader of compressed bytes.
        compression: how they are compressed.
    """

    def __init__(self, stream: Any, compression: Compression) -> None:
        super().__init__()
        self._stream = stream
        self._compression = compression
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
        rest = b"" if self._member is None else self._member.unused_data
        # Members may be padded with zeros, as tape drives did.
        while not rest.strip(b"\0"):
            rest = self._stream.read1(CHUNK)
            if not rest:
                self._ended = True
                return
        rest = rest.lstrip(b"\0") if self._member is not None else rest
        while len(rest) < LONGEST_MAGIC and (more := self._stream.read1(CHUNK)):
            rest += more
        if not self._compression.magic.match(rest):
            raise ValueError(f"something that is not {self._compression.name} follows the compressed data")
        self._member = self._compression.decompressor()
        self._waiting = rest


def is_table(begin: bytes) -> bool:
    """Tell whether a file that begins with *begin* holds Arrow batches: Parquet, or Arrow IPC of either kind."""
    return begin.startswith((PARQUET_MAGIC, ARROW_MAGIC)) or ARROW_STREAM.match(begin) is not None


def unzipped(stream: Any, begin: bytes) -> Any:
    """Return what *stream*, which begins with *begin*, holds: unzipped if that is gzip's or zstd's, else itself.

    Returns:
        A buffered reader of bytes.
    """
    for compression in COMPRESSIONS:
        if compression.magic.match(begin):
            return io.BufferedReader(Unzipped(stream, compression), UNZIPPED)
    return stream


def damages() -> tuple[type[Exception], ...]:
    """Return what reading a damaged stream may raise."""
    from isal import igzip_lib

    isal_error: Any = igzip_lib.IsalError
    return (EOFError, OSError, ValueError, zlib.error, isal_error, zstd().ZstdError)


def reason(error: Exception) -> str:
    """Return what *error* says, fit for a message."""
    return escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
