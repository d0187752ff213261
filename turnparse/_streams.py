"""Byte streams: what a file holds once it is unzipped. A format is known by its first bytes, never by a name."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from typing import IO, Any, Final

from turnparse._errors import escape

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
PARQUET_MAGIC: Final = b"PAR1"
ARROW_MAGIC: Final = b"ARROW1\0\0"
ARROW_STREAM: Final = re.compile(rb"\xff\xff\xff\xff(?!\0\0)..\0\0", re.DOTALL)
"""What a stream of Arrow batches begins with, since Arrow 0.15: this mark, and how long its schema is."""

LONGEST_MAGIC: Final = len(ARROW_MAGIC)
"""Bytes at the start of a file that tell what is in it."""

UNZIPPED: Final = 1 << 16
"""Bytes unzipped at a time: if the next ones prove damaged, at most so many before them are lost."""

CHUNK: Final = 1 << 20
"""Bytes read at a time: large against a call's cost, small against any machine's memory."""


class Counted(io.RawIOBase):
    """A raw stream that tells how much was read from it.

    Its first read gives at least as many bytes as tell what is in it, if there are so many: a pipe may hand over
    one byte at a time.
    """

    def __init__(self, raw: IO[bytes], on_bytes: Callable[[int], object] | None) -> None:
        super().__init__()
        self._raw = raw
        self._on_bytes = on_bytes
        self._begins = True

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
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        return len(data)


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


class Unzstd(io.RawIOBase):
    """What is in a zstd stream, of one frame or several."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the io module passes a memoryview
        data: bytes = self._stream.read(min(len(buffer), UNZIPPED))
        buffer[: len(data)] = data
        return len(data)


def is_table(begin: bytes) -> bool:
    """Tell whether a file that begins with *begin* holds Arrow batches: Parquet, or Arrow IPC of either kind."""
    return begin.startswith((PARQUET_MAGIC, ARROW_MAGIC)) or ARROW_STREAM.match(begin) is not None


def unzipped(stream: Any, begin: bytes) -> Any:
    """Return what *stream*, which begins with *begin*, holds: unzipped if that is gzip's or zstd's, else itself.

    Returns:
        A buffered reader of bytes.
    """
    raw: io.RawIOBase
    if begin.startswith(GZIP_MAGIC):
        raw = Gunzipped(stream)
    elif begin.startswith(ZSTD_MAGIC):
        raw = Unzstd(stream)
    else:
        return stream
    return io.BufferedReader(raw, UNZIPPED)


def damages() -> tuple[type[Exception], ...]:
    """Return what reading a damaged stream may raise."""
    from isal import igzip_lib

    isal_error: Any = igzip_lib.IsalError
    return (EOFError, OSError, ValueError, zlib.error, isal_error)


def reason(error: Exception) -> str:
    """Return what *error* says, fit for a message."""
    return escape(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)
