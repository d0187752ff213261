"""Distributions: counts, means and quantiles of numbers that pass by once, in memory that their number does not move.

Values are kept as a histogram of their leading bits: whole numbers up to `EXACT` as they are, others to within one part in
`EXACT` / 2 of themselves (but for floats so near to zero that they have fewer bits). Counts, totals, means, least and greatest are exact, and nothing depends on the order of the values,
or on how they are cut into batches: floats are added without rounding.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from turnparse._spreads import PERCENTILES, Spread

BITS: Final = 12
"""Leading bits of a number that are kept."""

EXACT: Final = 1 << BITS
"""Whole numbers up to it are kept as they are."""

SIGNIFICAND: Final = 53
"""Bits of a float's own."""

LEADING: Final = ~((1 << (SIGNIFICAND - BITS)) - 1)
"""The bits of a float that are kept: its sign, its exponent, and the leading ones of its significand, the first of which is implied."""

AT_ONCE: Final = 1 << 16
"""Numbers that wait until they are counted: to sort few at a time costs more."""

TOO_LARGE: Final = 2.0**960
"""The sum of 2**63 numbers below it is a float."""

MOST_WHOLE: Final = 1 << 63

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Distribution:
    """How some numbers are distributed, so far. What is not a number, or as large as `TOO_LARGE`, does not count."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self._waiting: list[Numbers] = []
        self._held = 0
        self._total = Fraction(0)
        self._least = np.inf
        self._most = -np.inf

    def take(self, values: Numbers) -> None:
        """Count *values*, of type int64 or float64; whole numbers of at most 53 bits."""
        if not len(values):
            return
        self._waiting.append(values)
        self._held += len(values)
        if self._held >= AT_ONCE:
            self._settle()

    def add(self, other: Distribution) -> None:
        """Count all that *other* has counted."""
        self._settle()
        other._settle()
        self._counts.update(other._counts)
        self._total += other._total
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)

    def spread(self) -> Spread | None:
        """Return what is to be told of them; None if there are none."""
        self._settle()
        if not self._counts:
            return None
        kept = np.array(sorted(self._counts))
        # Whole numbers throughout: a rank that is off by one would be another value.
        ranks = np.cumsum([self._counts[value] for value in kept.tolist()])
        count = int(ranks[-1])
        wanted = [max(1, -(-count * percent // 100)) for percent in PERCENTILES]
        found = kept.take(np.searchsorted(ranks, wanted)).clip(self._least, self._most)
        return Spread(
            count=count,
            total=_plain(self._total),
            mean=float(self._total / count),
            min=_plain(self._least),
            max=_plain(self._most),
            **{f"p{percent}": _plain(value) for percent, value in zip(PERCENTILES, found.tolist(), strict=True)},
        )

    def _settle(self) -> None:
        """Count what waits."""
        waiting, self._waiting, self._held = self._waiting, [], 0
        for values in _by_type(waiting):
            numbers = values.astype(np.float64)
            self._total += int(values.sum()) if values.dtype == np.int64 else _exact_sum(numbers)
            self._least = min(self._least, float(numbers.min()))
            self._most = max(self._most, float(numbers.max()))
            # There are two zeros, of different bits.
            leading = ((numbers + 0.0).view(np.int64) & LEADING).view(np.float64)
            found, counts = np.unique(leading, return_counts=True)
            self._counts.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _by_type(waiting: list[Numbers]) -> list[Any]:
    """Return the whole numbers, and those of the others that count, each as one array; none that is empty."""
    whole = [values for values in waiting if values.dtype == np.int64]
    others = [values[np.abs(values) < TOO_LARGE] for values in waiting if values.dtype != np.int64]
    arrays = [np.concatenate(values) for values in (whole, others) if values]
    return [values for values in arrays if len(values)]


def _exact_sum(numbers: npt.NDArray[np.float64]) -> Fraction:
    """Return the sum of finite floats, not rounded."""
    significands, exponents = np.frexp(numbers)
    whole = np.ldexp(significands, SIGNIFICAND).astype(np.int64)
    half = SIGNIFICAND // 2
    total = Fraction(0)
    for exponent in np.unique(exponents).tolist():
        some = whole[exponents == exponent]
        # In halves, so that no sum of them leaves 64 bits.
        units = (int((some >> half).sum()) << half) + int((some & ((1 << half) - 1)).sum())
        total += units * Fraction(2) ** (exponent - SIGNIFICAND)
    return total


def _plain(value: float | Fraction) -> float:
    """Return *value* as an int if it is a whole number of 64 bits, else as a float."""
    return int(value) if value == int(value) and -MOST_WHOLE < value < MOST_WHOLE else float(value)
