"""The call behind `turnparse stats`: what is in sources, in figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final

from turnparse._cells import Messages
from turnparse._dialect import DEFAULT, Dialect
from turnparse._errors import ArgumentError, FaultError, OptionError, SourceError, require_callable
from turnparse._job import Job
from turnparse._limits import Limits
from turnparse._shards import paths_of, shards_of
from turnparse._stats_figures import Stats
from turnparse._summary import Summary
from turnparse._target import Target
from turnparse._tokenizers import token_counter

MEMORY: Final = 1 << 30
"""Bytes that digests may take if nothing else is said: those of some twenty million rows, and as many prompts."""

LEAST_MEMORY: Final = 1 << 10
"""Bytes that digests take in any case."""

COUNTED: Final = Target(
    name="stats",
    about="What is counted of each row.",
    link="",
    takes=("pair", "red-team", "transcript"),
    columns={"shared": Messages("shared"), "chosen": Messages("chosen"), "rejected": Messages("rejected")},
    metadata=True,
)
"""What the rows are read for: sides are not asked for whole, since what they share need be read only once."""


def stats(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    memory: int = MEMORY,
    dialect: Dialect | str = DEFAULT,
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    from_: str | Target | None = None,
    max_row_bytes: int | None = None,
    max_expansion: int | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> Stats:
    """Count what is in sources, in one pass. The data are taken as they are: nothing is mended before.

    Args:
        sources: as for `turnparse.convert`.
        tokenizer: what counts tokens: the path of a ``tokenizer.json``, which the package tokenizers reads, or the name of a
            tokenizer that transformers has on this machine. Nothing is fetched.
        memory: how many bytes the digests of rows and prompts may take: 16 for each distinct one of a source, twice while
            they are sorted. More go to the system's folder for temporary files.
        dialect: as for `turnparse.parse`.
        chosen: as for `turnparse.convert`.
        rejected: likewise.
        transcript: likewise.
        from_: likewise.
        max_row_bytes: likewise.
        max_expansion: likewise.
        on_bytes: called with the number of bytes read, as they are read.

    Returns:
        The figures. Of a source that could not be read though nothing need be wrong with it nothing is counted; of one that
        proves damaged, the rows before.

    Warns:
        RuntimeWarning: if the dialect is not flat, so that rows are read one by one.

    Raises:
        ArgumentError: if an option is of the wrong type.
        OptionError: if an option has an unknown value, or the tokenizer cannot be had.
        DialectError: if the dialect cannot be had.
        SourceError: if no source can be read.
        OutputError: if digests cannot be written to disk.
    """
    require_callable(on_bytes, "on_bytes")
    limits = Limits.of(max_row_bytes, max_expansion)
    each = _checked_memory(memory) // 2
    job = Job.of(
        to=COUNTED, preset="faithful", policies=None, dialect=dialect, diagnostics="structural", side="chosen", chosen=chosen,
        rejected=rejected, transcript=transcript, keep_columns=False, from_=from_,
    )  # fmt: skip
    shards = shards_of(paths_of(sources))
    counter = None if tokenizer is None else token_counter(tokenizer)
    # Arrow and NumPy take a while to load: a mistake in the call is told before that.
    from turnparse._batches import BatchConverter, warn_if_slow
    from turnparse._chunk_columns import ChunkReader
    from turnparse._distinct import DistinctDigests
    from turnparse._stats_tally import Counting, Tally, measures
    from turnparse._stats_told import told

    converter = BatchConverter(job)
    warn_if_slow(converter)
    with DistinctDigests(each) as rows, DistinctDigests(each) as prompts:
        counting = Counting(converter, ChunkReader(job), limits, measures(counter), rows, prompts)
        total = Tally()
        failures: list[SourceError] = []
        counts: list[Summary] = []
        for number, shard in enumerate(shards):
            tally = Tally()
            try:
                counting.through(shard.path, number, tally, on_bytes)
            except SourceError as error:
                failures.append(error)
                if isinstance(error, FaultError):
                    tally = Tally()
                    counting.forget(number)
            total.add(tally)
            counts.append(tally.counts)
        if len(failures) == len(shards) and not total.counts.rows_in:
            raise failures[0]
        return told([shard.path for shard in shards], counts, total, counting, tuple(failures))


def _checked_memory(memory: object) -> int:
    if not isinstance(memory, int) or isinstance(memory, bool):
        msg = f"expected memory to be an int, found {type(memory).__name__}"
        raise ArgumentError(msg)
    if memory < LEAST_MEMORY:
        msg = f"expected memory to be at least {LEAST_MEMORY:,} bytes, found {memory:,}"
        raise OptionError(msg)
    return memory
