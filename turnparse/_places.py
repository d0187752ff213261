"""Places of rows as people read and write them: ``rows.jsonl:12`` for a line, ``rows.parquet#11`` for a row."""

from __future__ import annotations

import os
import re
from typing import Final

import attrs

from turnparse._errors import escape
from turnparse._model import Origin
from turnparse._urls import is_url

LONGEST_PATH: Final = 300
"""Characters of a path that are shown at most."""

WRITTEN: Final = re.compile(r"(?P<source>.+)(?::(?P<line>[1-9][0-9]{0,17})|#(?P<row>[0-9]{1,18}))", re.DOTALL)
"""A source, and a row of it."""


@attrs.frozen
class Place(Origin):
    """Where a row was read; its `str` is what `turnparse show` takes.

    That is ``SOURCE:LINE``, or ``SOURCE#ROW`` where there is no line, or other rows begin in the same.

    Attributes:
        shares_line: whether other rows begin in that line.
    """

    shares_line: bool = False

    def __str__(self) -> str:
        source = escape(self.source, LONGEST_PATH)
        return f"{source}#{self.row}" if self.line is None or self.shares_line else f"{source}:{self.line}"


@attrs.frozen
class Wanted:
    """What is to be read of a source.

    Attributes:
        source: the path, or ``-``.
        line: the 1-based line that the rows begin in; None for any.
        row: the 0-based number of the row; None for any.
    """

    source: str
    line: int | None = None
    row: int | None = None

    @classmethod
    def of(cls, text: str) -> Wanted:
        """Return what *text* says: a source, ``SOURCE:LINE`` or ``SOURCE#ROW``. A file of that very name comes first."""
        found = None if not is_url(text) and os.path.lexists(text) else WRITTEN.fullmatch(text)
        if found is None:
            return cls(text)
        line, row = found["line"], found["row"]
        return cls(found["source"], None if line is None else int(line), None if row is None else int(row))

    @property
    def is_one(self) -> bool:
        """Whether only rows of one place are wanted."""
        return self.line is not None or self.row is not None
