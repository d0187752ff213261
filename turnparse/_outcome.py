"""The outcome of a unit of work: what is told of it, whoever did it."""

from __future__ import annotations

import attrs

from turnparse._digests import Content
from turnparse._errors import SourceError
from turnparse._near_labels import NearMisses
from turnparse._summary import Summary
from turnparse._tasks import Task


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

    @property
    def is_there(self) -> bool:
        """Whether the output is in its place, by this run or an earlier one."""
        return self.output is not None or self.is_left


@attrs.frozen
class Done:
    """What became of all units of a run.

    Attributes:
        counts: of all rows.
        each: each output's task, and what became of it.
    """

    counts: Summary
    each: list[tuple[Task, Outcome]]

    @property
    def failures(self) -> list[SourceError]:
        """What is wrong with sources that could not be read to their end."""
        return [failed for _, outcome in self.each for failed in outcome.failures]

    @property
    def there(self) -> list[tuple[Task, Outcome]]:
        """The outputs that are in their place."""
        return [(task, outcome) for task, outcome in self.each if outcome.is_there]
