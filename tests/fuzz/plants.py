"""Bugs to be found: one for each target, under a condition that random inputs hardly meet.

They are planted in the fuzzing process alone. `rare` is instrumented as turnparse is, so each of its steps is an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import attrs
import pyarrow.compute as pc

from turnparse import Pair, Transcript, Turn, _chunks, _model, _scan, _streams, _table_sources
from turnparse._chunks import Chunk, RawRow
from turnparse._contents import TextColumn

Plant = Callable[[], AbstractContextManager[object]]

RARE = b"_^@"
"""What bugs wait for. No seed has two of these characters: one of them is brought in by some hundredths of the changes, all three
at once by one in thousands, seldom in a place that counts; bytes at random may have them, but are no turn and no row."""


def rare(data: bytes) -> bool:
    """Tell whether *data* has all that bugs wait for."""
    if RARE[0] not in data:
        return False
    if RARE[1] not in data:
        return False
    return RARE[-1] in data


def _in(text: str) -> bool:
    return rare(text.encode("utf-8", "surrogatepass"))


def in_a_turn() -> AbstractContextManager[object]:
    """Let the scan lose the last character of a turn."""
    original = _model.make_turn

    def planted(mark: Any, text: str, start: int) -> Turn:
        return original(mark, text[:-1] if _in(text) else text, start)

    return mock.patch.object(_scan, "make_turn", planted)


def in_a_pair() -> AbstractContextManager[object]:
    """Let a pair forget that its last shared turn is shared."""
    original = _model.form_pair

    def planted(chosen: Transcript, rejected: Transcript, known: int = 0) -> Pair:
        pair = original(chosen, rejected, known)
        if not pair.shared or not _in(pair.shared[-1].text):
            return pair
        last = pair.shared[-1:]
        return attrs.evolve(pair, shared=pair.shared[:-1], chosen=last + pair.chosen, rejected=last + pair.rejected)

    return mock.patch.object(_scan, "form_pair", planted)


def in_columns() -> AbstractContextManager[object]:
    """Let columns strip a character too many."""
    original = TextColumn.stripped

    def planted(self: TextColumn, begins: Any, ends: Any) -> TextColumn:
        made = original(self, begins, ends)
        return TextColumn.of(pc.utf8_slice_codeunits(made.array, 0, -1)) if rare(made.data.tobytes()) else made

    return mock.patch.object(TextColumn, "stripped", planted)


def in_lines() -> AbstractContextManager[object]:
    """Let a chunk that is gone through line by line lose a row, which no summary then counts."""
    original = _chunks.Chunk.rows

    def planted(self: Chunk) -> tuple[list[RawRow], int]:
        rows, blank = original(self)
        return [row for row in rows if not rare(row.data)], blank

    return mock.patch.object(_chunks.Chunk, "rows", planted)


def in_unzipping() -> AbstractContextManager[object]:
    """Let unzipping swap the last two bytes of a piece."""
    original = _streams.Unzipped._decompressed  # noqa: SLF001  # a bug may be anywhere

    def planted(self: Any, size: int) -> bytes:
        out = original(self, size)
        return out[:-2] + out[-1:] + out[-2:-1] if rare(out) else out

    return mock.patch.object(_streams.Unzipped, "_decompressed", planted)


def in_batches() -> AbstractContextManager[object]:
    """Let a batch of a table lose its last row."""
    original = _table_sources._cut  # noqa: SLF001  # as above

    def planted(batch: Any) -> Any:
        text = (
            str(batch.column(0)[0].as_py()).encode("utf-8", "surrogatepass")
            if batch.num_columns and len(batch)
            else b""
        )
        return original(batch.slice(0, len(batch) - 1) if rare(text) else batch)

    return mock.patch.object(_table_sources, "_cut", planted)
