"""Tables of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

NUMBER: Final = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?(?:e[+-][0-9]+)?")
"""What a number looks like in a cell."""


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return *header*, and *rows* below it, each column as wide as it must be; columns of numbers end in one line."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [bool(column[1:]) and all(map(NUMBER.fullmatch, column[1:])) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [header, *rows]
    ]
