"""Digests of rows and of prompts: what is the same has the same, in whatever way it was read."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from turnparse._buffers import Places
from turnparse._contents import TextColumn
from turnparse._distinct import SIZE
from turnparse._message_columns import MessageColumn

PAIR: Final = b"pair"
TEXT: Final = b"text"
PROMPT: Final = b"prompt"
"""What keeps the digests of different things apart."""

ROLE_BITS: Final = 2
"""Bits that tell roles apart."""

WORD: Final = 8
"""Bytes of a number."""


def row_digests(texts: Sequence[TextColumn], rows: Places) -> bytes:
    """Return a digest of each of *rows*, one behind the other: of its texts, as they stand, and of nothing else.

    Args:
        texts: both sides of pairs, or the one text of other rows.
        rows: which of them.
    """
    first, *others = texts
    data = first.data.data
    begins, ends = first.starts.take(rows), first.ends.take(rows)
    if not others:
        found = [
            blake2b(data[begin:end], digest_size=SIZE, person=TEXT).digest()
            for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        ]
        return b"".join(found)
    (second,) = others
    more = second.data.data
    # Where one side ends and the other begins.
    lengths = _words(ends - begins)
    edges = zip(begins.tolist(), ends.tolist(), second.starts.take(rows).tolist(), second.ends.take(rows).tolist(), strict=True)  # fmt: skip
    found = []
    for at, (begin, end, other_begin, other_end) in enumerate(edges):
        digest = blake2b(data[begin:end], digest_size=SIZE, person=PAIR)
        digest.update(more[other_begin:other_end])
        digest.update(lengths[WORD * at : WORD * at + WORD])
        found.append(digest.digest())
    return b"".join(found)


def prompt_digests(messages: MessageColumn, firsts: Places, counts: Places) -> bytes:
    """Return a digest of each prompt, one behind the other: of its roles and contents; prompts without messages have none.

    Args:
        messages: the messages.
        firsts: the first message of each prompt.
        counts: how many messages each has.
    """
    there = counts > 0
    firsts, counts = firsts[there], counts[there]
    texts = messages.texts
    data = texts.data.data
    # How long each message is, and whose: that tells where it ends.
    described = _words((texts.ends - texts.starts) << ROLE_BITS | messages.roles)
    numbers = _words(counts)
    lasts = firsts + counts
    edges = zip(
        texts.starts.take(firsts).tolist(), texts.ends.take(lasts - 1).tolist(), firsts.tolist(), lasts.tolist(), strict=True
    )  # fmt: skip
    found = []
    for at, (begin, end, first, last) in enumerate(edges):
        digest = blake2b(data[begin:end], digest_size=SIZE, person=PROMPT)
        digest.update(described[WORD * first : WORD * last])
        digest.update(numbers[WORD * at : WORD * at + WORD])
        found.append(digest.digest())
    return b"".join(found)


def _words(numbers: npt.NDArray[Any]) -> bytes:
    """Return *numbers* as bytes, eight each."""
    return numbers.astype(np.int64).tobytes()
