"""Looking for control tokens in a column of texts, without an object for a text that has nothing like one.

The characters that tokens begin with are seldom in a text. So a column is read once for them, by the C library's own
search for a byte; where one is, it and the bytes after it are compared with what tokens begin with; and only texts in which
these are right are asked whether they hold a token.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Bytes, Places
from turnparse._columns import rows_of
from turnparse._contents import TextColumn
from turnparse._control_tokens import OPENINGS, PATTERN, SIGNS

BLOCK: Final = 1 << 15
"""Bytes looked through at a time: they stay in a core's own cache."""

FEW: Final = 16
"""Signs of a block up to which each is looked for by itself."""

SHORT, HEAD = 3, 4
"""Bytes of a token that are compared: the shortest has three, and with four HTML's ``</span>`` is none."""

_SIGNS: Final = tuple(sign.encode() for sign in SIGNS)
_OPENINGS: Final = sorted(opening.encode()[:HEAD] for opening in OPENINGS)
_NEXT: Final = [np.isin(range(256), [opening[offset] for opening in _OPENINGS]) for offset in range(SHORT)]
_LEAST, _MOST = (
    np.array([int.from_bytes(opening.ljust(HEAD, rest)) for opening in _OPENINGS]) for rest in (b"\0", b"\xff")
)


def rows_with_tokens(texts: TextColumn) -> Places:
    """Return the rows of *texts* that hold a control token, ascending; they need not be known to be UTF-8."""
    places = beginnings(texts.data)
    # Below a null, and where a text ends and the next one goes on, there may be what is none.
    near = np.unique(rows_of(np.append(texts.starts, len(texts.data)), places)) if len(places) else places
    if not len(near):
        return near
    held = pc.match_substring_regex(texts.array.take(pa.array(near)), PATTERN)
    return near.compress(held.fill_null(False).to_numpy(zero_copy_only=False))  # noqa: FBT003  # Arrow's own name for it


def beginnings(data: Bytes) -> Places:
    """Return where in *data* there is what control tokens begin with, in no order."""
    found: list[Places] = []
    single: list[int] = []
    for begin in range(0, len(data), BLOCK):
        block = data[begin : begin + BLOCK]
        raw = block.tobytes()
        for sign in _SIGNS:
            at = raw.find(sign)
            for _ in range(FEW):
                if at < 0:
                    break
                single.append(begin + at)
                at = raw.find(sign, at + 1)
            if at >= 0:
                found.append(_confirmed(data, begin + at + (block[at:] == sign[0]).nonzero()[0]))
    return np.concatenate([*found, _confirmed(data, np.array(single, np.int64))])


def _confirmed(data: Bytes, places: Places) -> Places:
    """Return those of *places*, where *data* has signs, at which it has what tokens begin with."""
    # At the very end of the data its last byte stands for those that are not there: at worst one text is asked in vain.
    for offset in range(1, SHORT):
        places = places.compress(_NEXT[offset].take(data.take(places + offset, mode="clip")))
    heads = np.zeros(len(places), np.int64)
    for offset in range(HEAD):
        heads = heads << 8 | data.take(places + offset, mode="clip")
    nearest = np.searchsorted(_LEAST, heads, side="right") - 1
    return places.compress((nearest >= 0) & (heads <= _MOST.take(nearest, mode="clip")))
