"""Texts of Arrow columns as JSON has them inside quotes: all of them at once, as `orjson` escapes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs
import numpy as np
import orjson
import pyarrow as pa

from turnparse._buffers import Bytes, Places
from turnparse._contents import TextColumn

SPACE, QUOTE, BACKSLASH = b' "\\'

SWAP: Final = SPACE ^ QUOTE
"""The bits in which spaces and quotes differ: a single one, and the control characters stay below both without it."""

WORD: Final = 64
"""Bits of a word."""

ESCAPES: Final = {
    # The backslash comes first, or it would escape those of other escapes.
    byte: orjson.dumps(chr(byte))[1:-1]
    for byte in (BACKSLASH, QUOTE, *range(SPACE))
}
"""{byte: how JSON has it in a string}, of all bytes that it may not have as they are."""

GROWTH: Final = np.array([len(ESCAPES.get(byte, b"?")) - 1 for byte in range(BACKSLASH + 1)], np.int64)
"""{byte: by how much its escape is longer}."""

BLOCK: Final = 1 << 16
"""Bytes looked through at a time: they and what is found in them stay in a core's own cache."""


@attrs.frozen
class Pieces:
    """Byte strings, of which lines are made.

    Attributes:
        lengths: the length of each; int64.
        blocks: their bytes, one behind the other, cut anywhere.
    """

    lengths: Places
    blocks: Iterable[bytes]

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Pieces:
        """Return *texts* as pieces."""
        return cls(np.fromiter(map(len, texts), np.int64, len(texts)), [b"".join(texts)])


def empty(size: int) -> Bytes:
    """Return an array of *size* bytes in Arrow's memory: from the system it would come anew, page by page."""
    return np.frombuffer(memoryview(pa.allocate_buffer(size)), np.uint8)


def escaped(texts: Sequence[TextColumn]) -> Pieces:
    """Return all *texts*, column by column, as JSON has them inside quotes."""
    lengths = np.concatenate([np.empty(0, np.int64), *(column.ends - column.starts for column in texts)])
    ends = np.cumsum(lengths)
    there = np.zeros(len(GROWTH), np.int64)
    begin = 0
    for column in texts:
        places = _unsafe(column.data)
        unsafe = column.data[places]
        # The text in which each of these bytes stands grows by what its escape is longer.
        text = np.searchsorted(ends, places + begin, side="right")
        lengths += np.bincount(text, GROWTH[unsafe], len(lengths)).astype(np.int64)
        there += np.bincount(unsafe, minlength=len(GROWTH))
        begin += len(column.data)
    present = [byte for byte in ESCAPES if there[byte]]
    return Pieces(lengths, _escaped_blocks([column.data for column in texts], present))


def _escaped_blocks(runs: Sequence[Bytes], there: Sequence[int]) -> Iterator[bytes]:
    """Yield *runs* of bytes as JSON has them inside quotes, *there* being the bytes in them that are escaped."""
    for data in runs:
        for begin in range(0, len(data), BLOCK):
            block = data[begin : begin + BLOCK].tobytes()
            for byte in there:
                block = block.replace(bytes([byte]), ESCAPES[byte])
            yield block


def _unsafe(data: Bytes) -> Places:
    """Return the places in *data* of the bytes that JSON escapes, ascending."""
    bits = np.zeros(len(data) // WORD + 1, np.uint64)
    packed = bits.view(np.uint8)
    for begin in range(0, len(data), BLOCK):
        block = data[begin : begin + BLOCK]
        # One comparison finds control characters and quotes: with quotes and spaces swapped, they are the lowest.
        unsafe = block ^ SWAP <= SPACE
        unsafe |= block == BACKSLASH
        here = np.packbits(unsafe, bitorder="little")
        packed[begin // 8 : begin // 8 + len(here)] = here
    # In most words there is none.
    words = np.flatnonzero(bits)
    places = np.flatnonzero(np.unpackbits(bits[words].view(np.uint8), bitorder="little"))
    found: Places = words[places // WORD] * WORD + places % WORD
    return found
