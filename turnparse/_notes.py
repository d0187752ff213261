"""What is said once of a whole run: rows put to a use that they are not meant for, and rows that the target does not take."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Final, get_args

from turnparse._errors import IntendedUseWarning, NotTakenWarning, escape
from turnparse._intended_use import DATASET, NOTICES, SOURCE, misused
from turnparse._job import Job
from turnparse._summary import Summary
from turnparse._target import Kind, targets
from turnparse._tasks import Task

MOST_NAMED: Final = 3
"""Sources that a note names; of others it says how many there are."""


def warn_of_use(job: Job, counts: Summary) -> None:
    """Say so if rows among *counts* are not meant for what the target trains.

    Of rows in another format than that of the published transcripts nobody knows whose they are.
    """
    kinds = misused(job.target, counts) if job.back is None else []
    if kinds:
        told = "; ".join(
            f"{NOTICES[kind].name} ({counts.kinds[kind]:,} rows here) are {NOTICES[kind].unmeant}" for kind in kinds
        )
        msg = f"{escape(job.target.name)} is for {job.target.trains} training, but {DATASET} publishes such rows for another use: {told}; see {SOURCE}"
        # The caller of the public call that called this.
        warnings.warn(msg, IntendedUseWarning, stacklevel=3)


def warn_of_kinds(job: Job, counts: Summary, tasks: Sequence[Task], each: Sequence[Summary]) -> None:
    """Say so if rows among *counts* were set aside because the target does not take their kind.

    Args:
        job: what was done with each row.
        counts: those of the whole run.
        tasks: its outputs.
        each: the counts of each output.
    """
    refused = [kind for kind in get_args(Kind) if kind not in job.target.takes and counts.kinds[kind]]
    if refused:
        told = "; ".join(_refused(kind, counts, tasks, each) for kind in refused)
        msg = f"{escape(job.target.name)} does not take some rows, which were set aside: {told}"
        warnings.warn(msg, NotTakenWarning, stacklevel=3)


def _refused(kind: Kind, counts: Summary, tasks: Sequence[Task], each: Sequence[Summary]) -> str:
    whole = [
        escape(os.path.basename(shard.path))  # noqa: PTH119  # what a name may hold, Path may change
        for task, one in zip(tasks, each, strict=True)
        for shard in task.shards
        if one.kinds[kind] and one.kinds[kind] == one.rows_in
    ]
    more = [f"{len(whole) - MOST_NAMED:,} sources more"] if len(whole) > MOST_NAMED else []
    named = f" (all rows of {', '.join(whole[:MOST_NAMED] + more)})" if whole else ""
    # Those that are for anything at all come first to mind; there are more.
    takers = [escape(name) for name, target in targets().items() if kind in target.takes and not target.trains]
    advice = f"; --to {' or '.join(takers)} takes them" if takers else ""
    return f"{counts.kinds[kind]:,} {kind} rows{named}{advice}"
