"""What is said once of a whole run: rows put to a use that they are not meant for, and rows that the target does not take."""

from __future__ import annotations

import warnings
from typing import Final, get_args

from turnparse._errors import IntendedUseWarning, NotTakenWarning, escape
from turnparse._intended_use import DATASET, NOTICES, SOURCE, misused
from turnparse._job import Job
from turnparse._outcome import Done
from turnparse._stores import file_name
from turnparse._summary import Summary
from turnparse._target import Kind, targets

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


def warn_of_kinds(job: Job, done: Done) -> None:
    """Say so if rows of a run were set aside because the target does not take their kind.

    Args:
        job: what was done with each row.
        done: what became of them.
    """
    counts = done.counts
    refused = [kind for kind in get_args(Kind) if kind not in job.target.takes and counts.kinds[kind]]
    if refused:
        told = "; ".join(_refused(kind, done) for kind in refused)
        msg = f"{escape(job.target.name)} does not take some rows, which were set aside: {told}"
        warnings.warn(msg, NotTakenWarning, stacklevel=3)


def _refused(kind: Kind, done: Done) -> str:
    whole = [
        escape(file_name(shard.path))
        for task, outcome in done.each
        for shard in task.shards
        if outcome.counts.kinds[kind] and outcome.counts.kinds[kind] == outcome.counts.rows_in
    ]
    more = [f"{len(whole) - MOST_NAMED:,} sources more"] if len(whole) > MOST_NAMED else []
    named = f" (all rows of {', '.join(whole[:MOST_NAMED] + more)})" if whole else ""
    # Those that are for anything at all come first to mind; there are more.
    takers = [escape(name) for name, target in targets().items() if kind in target.takes and not target.trains]
    advice = f"; --to {' or '.join(takers)} takes them" if takers else ""
    return f"{done.counts.kinds[kind]:,} {kind} rows{named}{advice}"
