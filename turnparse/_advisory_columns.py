"""Looking for what is only worth a look in columns of texts: which regular rows may carry an advisory code.

A label inside a turn, and what is nearly a marker, are found in the object model alone. But each marker has one label, and is
at one line start; so a text of regular turns in which labels, and lines that begin like a marker, are no more than its
markers has neither. To count them in a whole column takes no object for a row. What is found here may be too much, never too
little, and is then looked at row by row.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import attrs
import numpy as np
import pyarrow.compute as pc

from turnparse._buffers import Mask
from turnparse._contents import TextColumn
from turnparse._markers import LINE_ENDS, MarkerTable
from turnparse._token_columns import rows_with_tokens


@attrs.frozen
class Sieve:
    """What is counted in texts of one dialect.

    Attributes:
        markers: the markers that may stand anywhere.
        labelled: labels and what follows them in markers.
        near: an expression of RE2 for the start of a line that may be meant as a marker; None if there is none.
    """

    markers: tuple[str, ...]
    labelled: tuple[str, ...]
    near: str | None

    @classmethod
    def of(cls, table: MarkerTable) -> Sieve | None:
        """Return the sieve of a dialect; None if counts would not tell: then every row is to be looked at."""
        labelled = tuple(dict.fromkeys(marker.labelled for marker in table.markers))
        if not table.separable or any(_overlap(*two) for two in itertools.product(labelled, repeat=2)):
            return None
        near = None
        if table.near_line:
            # The line end before is a part of what is found: RE2 does not look back. A word cannot begin or end with white space;
            # RE2 knows less of that than `re`, so it finds more.
            near = f"[{LINE_ENDS}]{table.near_line}"
            begun = [marker.opening[-1:] + marker.labelled for marker in table.unanchored]
            if not all(text[0] in LINE_ENDS and _is_line(near, text) for text in begun):
                return None
        return cls(tuple(marker.literal for marker in table.unanchored), labelled, near)

    def rows(self, texts: Any) -> Mask:
        """Return which rows of *texts*, a column of strings, may carry an advisory code if they are regular; length rows."""
        inside = _counted(texts, self.markers)
        begins = np.zeros(len(texts), np.bool_)
        for marker in self.markers:
            begins |= _filled(pc.starts_with(texts, marker), 0).astype(np.bool_)
        # A regular text that begins with none of these begins with one that may only stand there.
        found: Mask = _counted(texts, self.labelled) > inside + ~begins
        if self.near is not None:
            found |= _filled(pc.count_substring_regex(texts, self.near), 0) > inside
        found[rows_with_tokens(TextColumn.of(texts))] = True
        return found


def _counted(texts: Any, literals: tuple[str, ...]) -> Any:
    counts = np.zeros(len(texts), np.int64)
    for literal in literals:
        counts += _filled(pc.count_substring(texts, literal), 0)
    return counts


def _filled(column: Any, value: int) -> Any:
    return column.fill_null(bool(value) if column.type == "bool" else value).to_numpy(zero_copy_only=False)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two texts can overlap: the end of the one is the beginning of the other, or it holds the other."""
    ends = any(one.endswith(other[:length]) for length in range(1, min(len(one), len(other))))
    return ends or (one != other and other in one)


def _is_line(near: str, text: str) -> bool:
    """Tell whether *near* finds *text* whole, and cannot find what goes on in another line."""
    found = re.match(near, text)
    return found is not None and found.end() == len(text) and not any(end in text[1:] for end in LINE_ENDS)
