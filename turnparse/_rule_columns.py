"""The rules of a target by columns: which rows break each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._buffers import Mask
from turnparse._cell_columns import one_of
from turnparse._cells import TAILS
from turnparse._parts import Parts
from turnparse._target import LETTERS, Rule


def broken_by(rule: Rule, parts: Parts, *, system: bool) -> Mask:
    """Return which rows break *rule*.

    Args:
        rule: the rule.
        parts: the rows.
        system: whether the run adds a system prompt to each.
    """
    if rule.differs:
        sides: list[Any] = [one_of(parts.part(side), "last").contents for side in ("chosen", "rejected")]
        same: Mask = pc.equal(*sides).to_numpy(zero_copy_only=False)
        return same
    if rule.outside:
        texts = one_of(parts.part(rule.part), "last").contents
        # Nearly all are longer.
        short = np.flatnonzero(pc.binary_length(texts).to_numpy() <= len(rule.outside.encode()))
        within = np.zeros(len(parts), np.bool_)
        within[short] = [text in rule.outside for text in texts.take(pa.array(short)).to_pylist()]
        return within
    column = parts.part(rule.part)
    if column.way is not None:
        return np.full(len(parts), not rule.holds(_led(column.way, rule, system=system), led=system))
    # However many rows there are, they take turns in few ways.
    ways = column.letters.dictionary_encode()
    broken = np.array(
        [not rule.holds(_led(way, rule, system=system), led=system) for way in ways.dictionary.to_pylist()], np.bool_
    )
    if not broken.any():
        return np.zeros(len(parts), np.bool_)
    rows: Mask = broken.take(ways.indices.to_numpy())
    return rows


def _led(letters: str, rule: Rule, *, system: bool) -> str:
    if not system or rule.part in TAILS or letters[:1].lower() == LETTERS["system"]:
        return letters
    return LETTERS["system"] + letters
