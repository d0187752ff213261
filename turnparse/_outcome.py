"""The outcome of a unit of work: what is told of it, whoever did it."""

from __future__ import annotations

import attrs

from turnparse._digests import Content
from turnparse._errors import SourceError
from turnparse._near_labels import NearMisses
from turnparse._summary import Summary


@attrs.frozen
class Outcome:
    """What became of a unit; it can be pickled.

    Attributes:
        counts: of the rows; of a fault none.
        near: what may be meant as labels.
        failures: what is wrong with sources that could not be read to their end.
        sources: what they hold, if that was asked for and all could be read to their end; else None.
        output: what is in the output; None if it was not written.
        set_aside: what is in the file for rows set aside; None if there is none.
        is_left: whether an earlier run's output was left as it is.
        nothing_read: whether no source gave any row before it failed; then nothing was written.
    """

    counts: Summary
    near: NearMisses
    failures: list[SourceError] = attrs.field(factory=list)
    sources: list[Content] | None = None
    output: Content | None = None
    set_aside: Content | None = None
    is_left: bool = False
    nothing_read: bool = False
