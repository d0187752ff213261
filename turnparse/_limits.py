"""Limits: how much one row, or one compressed file, may ask of a machine."""

from __future__ import annotations

from typing import Final

import attrs

from turnparse._errors import ArgumentError, OptionError

MAX_ROW_BYTES: Final = 1 << 28
"""A row takes up to eight times its size while it is converted, up to thirteen if it is many turns, forty if all are empty
(tests/test_memory.py): one of 256 MiB takes 2 GiB, 3 or 10. It is some forty million words: no model reads so many."""

KEPT: Final = 1 << 16
"""Bytes that are kept of a row that is too long."""

MAX_EXPANSION: Final = 1000
"""What text there is unzips to 3 to 30 times its bytes, and one row over and over to some hundred times; of gzip 1,032 is the
most that there can be, of zstd a hundred times that."""

EXPANSION_FLOOR: Final = 1 << 26
"""Bytes that may come out of any file: so much harms nobody, and a small file of one row over and over is no attack."""


@attrs.frozen
class Limits:
    """What a source may ask for.

    Attributes:
        max_row_bytes: how many bytes a row may have; a longer one is set aside, and not held in memory.
        max_expansion: how many times its own bytes a compressed file may unzip to, beyond `EXPANSION_FLOOR`.
    """

    max_row_bytes: int = MAX_ROW_BYTES
    max_expansion: int = MAX_EXPANSION

    @classmethod
    def of(cls, max_row_bytes: int | None, max_expansion: int | None) -> Limits:
        """Return these limits, the usual one for None.

        Raises:
            ArgumentError: if one is no number.
            OptionError: if one is less than one.
        """
        return cls(
            _checked(max_row_bytes, "max_row_bytes", MAX_ROW_BYTES),
            _checked(max_expansion, "max_expansion", MAX_EXPANSION),
        )


USUAL: Final = Limits()


def _checked(limit: object, name: str, usual: int) -> int:
    if limit is None:
        return usual
    if not isinstance(limit, int) or isinstance(limit, bool):
        msg = f"expected {name} to be an int, found {type(limit).__name__}"
        raise ArgumentError(msg)
    if limit < 1:
        msg = f"expected {name} to be at least 1, found {limit}"
        raise OptionError(msg)
    return limit
