"""What is told of a distribution."""

from __future__ import annotations

from typing import Final

import attrs

PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)


@attrs.frozen(kw_only=True)
class Spread:
    """How some numbers are distributed; all ints where the numbers are, but for the mean.

    A percentile is the least of the numbers that so many percent of them do not exceed: exact up to 4,096, of larger ones cut
    down to 12 bits, by less than one part in 2,048. All else is exact.

    Attributes:
        count: how many there are; at least one.
        total: their sum.
        mean: their mean.
        min: the least.
        p1: the first percentile.
        p5: the 5th.
        p25: the 25th.
        p50: the 50th: the median, or of an even number the lesser of the two in the middle.
        p75: the 75th.
        p95: the 95th.
        p99: the 99th.
        max: the greatest.
    """

    count: int
    total: float
    mean: float
    min: float
    p1: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    max: float
