"""The texts of a column as bytes and places, and copies of parts of them, made by Arrow at once."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Bytes, Mask, Places, numbers

MOST_NARROW: Final = np.iinfo(np.int32).max
"""Bytes that offsets of 32 bits can tell apart."""

SPACE: Final = ord(" ")
FIRST_SIGN: Final = np.uint8(ord("!"))
LAST_SIGN: Final = np.uint8(ord("~"))
"""The bytes from the first to the last are visible characters of ASCII, which nothing strips."""

APART: Final = 1 << 21
"""Bytes of texts that a core's own cache does not hold."""

LONGEST: Final = 4
"""Bytes of a character in UTF-8."""

GOES_ON_BITS: Final = 0b1100_0000
GOES_ON: Final = 0b1000_0000
"""What these bits are in all bytes of a character but the first."""


def is_text(kind: Any) -> bool:
    """Tell whether columns of type *kind* hold texts as they are: string or large_string."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@attrs.frozen
class TextColumn:
    """The texts of a column of strings as bytes.

    Attributes:
        array: the column, of type string or large_string, sliced or not.
        data: the bytes of all its texts, one behind the other.
        starts: where each text begins in *data*; length rows.
        ends: one past where it ends; length rows.
    """

    array: Any
    data: Bytes
    starts: Places
    ends: Places

    @classmethod
    def of(cls, array: Any) -> TextColumn:
        """Return the texts of *array*, a `pyarrow.Array` of type string or large_string; nulls are empty texts.

        Raises:
            pyarrow.ArrowInvalid: if its texts do not lie one behind the other, in its bytes.
        """
        large = pa.types.is_large_string(array.type)
        _, offset_buffer, data_buffer = array.buffers()
        if len(array) == 0 or offset_buffer is None:
            return cls(array, np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
        width = np.int64 if large else np.int32
        offsets = numbers(offset_buffer, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
        if offsets[0] < 0 or offsets[-1] > len(data) or (offsets[1:] < offsets[:-1]).any():
            raise pa.ArrowInvalid("offsets of texts that do not ascend, or lead out of their bytes")
        data = data[offsets[0] : offsets[-1]]
        offsets -= offsets[0]
        return cls(array, data, offsets[:-1], offsets[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def check(self, begin: int, end: int) -> None:
        """Check that the bytes between *begin* and *end* are UTF-8, but for characters that go on beyond.

        Whoever checks all bytes, one stretch behind the other, and `check_starts`, has checked all texts.

        Raises:
            pyarrow.ArrowInvalid: if a text is not; bytes that are no text's do not count.
        """
        begin, end = self._character(begin), self._character(end)
        offsets = pa.py_buffer(np.array([begin, end], np.int64))
        try:
            whole = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(self.data)])
            whole.validate(full=True)
        except pa.ArrowInvalid:
            self.array.validate(full=True)

    def check_starts(self, rows: Places) -> None:
        """Check that none of the texts *rows* begins inside a character.

        Raises:
            pyarrow.ArrowInvalid: if a text does and is no UTF-8 therefore.
        """
        if len(rows) and len(self.data):
            starts = self.starts.take(rows)
            inside = _goes_on(self.data.take(starts, mode="clip"))
            if (inside & (starts < self.ends.take(rows))).any():
                self.array.validate(full=True)

    def _character(self, at: int) -> int:
        """Return where the character begins that goes on at *at*: at most three bytes before."""
        before = at
        while 0 < before < len(self.data) and at - before < LONGEST - 1 and _goes_on(self.data[before]):
            before -= 1
        return before

    def spans(self, begins: Places, ends: Places, gaps: Any = None) -> Any:
        """Return the bytes between *begins* and *ends*, ascending, as a `pyarrow.Array`, without copying.

        Its even elements are these spans, its odd ones what lies between them.

        Args:
            begins: where each span begins.
            ends: one past where it ends.
            gaps: a bitmap of which elements are not null; None if none is.
        """
        large = len(self.data) > MOST_NARROW
        offsets = np.empty(2 * len(begins) + 1, np.int64 if large else np.int32)
        offsets[0:-1:2] = begins
        offsets[1::2] = ends
        offsets[-1] = len(self.data)
        buffers = [gaps, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_string() if large else pa.string(), 2 * len(begins), buffers)

    def stripped(self, begins: Places, ends: Places) -> TextColumn:
        """Return copies of the spans from *begins* to *ends*, ascending, exactly as `str.strip` leaves them.

        A test compares what Arrow and Python call white space, for every character there is.
        """
        if not len(begins):
            return TextColumn.of(pa.array([], pa.string()))
        spans = pc.utf8_trim_whitespace(self.spans(begins, ends, _every_other(len(begins).bit_length())))
        _, offset_buffer, data = spans.buffers()
        # What is null has no length: every other offset is where a span begins, and where the one before it ends.
        large = pa.types.is_large_string(spans.type)
        every = numbers(offset_buffer, np.int64 if large else np.int32)[: 2 * len(begins) + 1]
        offsets = every[::2].copy()
        array = pa.Array.from_buffers(spans.type, len(begins), [None, pa.py_buffer(offsets), data])
        places = offsets.astype(np.int64)
        return TextColumn(array, np.frombuffer(data, np.uint8)[: places[-1]], places[:-1], places[1:])

    def stripped_apart(self, begins: Places, ends: Places) -> TextColumn:
        """Return the same as `stripped`: in less time if spans are far apart, and hold nothing to strip but one space.

        Arrow waits for memory at either end of each span in turn; here all beginnings are fetched at once, and all ends.
        """
        if len(self.data) < APART or not len(begins):
            return self.stripped(begins, ends)
        starts, stops = begins + (self.data.take(begins, mode="clip") == SPACE), ends.copy()
        odd = starts > stops
        for outermost in (starts, stops - 1):
            # Below the first sign bytes wrap around.
            odd |= self.data.take(outermost, mode="clip") - FIRST_SIGN > LAST_SIGN - FIRST_SIGN
        near = odd.nonzero()[0]
        if len(near):
            spans = self.spans(begins.take(near), ends.take(near)).take(_evens(len(near).bit_length())[: len(near)])
            left = pc.utf8_ltrim_whitespace(spans)
            whole, both = TextColumn.of(left), TextColumn.of(pc.utf8_rtrim_whitespace(left))
            starts[near] = ends.take(near) - (whole.ends - whole.starts)
            stops[near] = starts.take(near) + (both.ends - both.starts)
        every = _evens(len(begins).bit_length())[: len(begins)]
        return TextColumn.of(self.spans(starts, stops).take(every))

    @property
    def filled(self) -> Mask:
        """Whether there is anything in each text; length rows."""
        return self.starts < self.ends


def _goes_on(byte: Any) -> Any:
    """Tell whether *byte* is one that goes on with a character."""
    return (byte & GOES_ON_BITS) == GOES_ON


@cache
def _every_other(bits: int) -> Any:
    """Return which of two to the power of *bits* elements twice over are not null: the even ones."""
    return pa.py_buffer(np.full(max(1, (2 << bits) // 8), 0b01010101, np.uint8))


@cache
def _evens(bits: int) -> Any:
    """Return the even numbers below two to the power of *bits* twice over."""
    return pa.array(np.arange(0, 2 << bits, 2, dtype=np.int64))
