"""The conversion of whole sources: rows in, rows out, rows set aside, and a summary that adds up."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

import attrs

from turnparse._card import Run, card_path, require_own, write_card
from turnparse._dialect import DEFAULT, Dialect
from turnparse._engines import engine_named, require_engine
from turnparse._errors import IncompleteError, OptionError, escape, require_callable
from turnparse._job import Job
from turnparse._limits import Limits
from turnparse._model import Diagnostics
from turnparse._notes import warn_of_kinds, warn_of_use
from turnparse._outcome import Done
from turnparse._shards import paths_of, shards_of
from turnparse._side_files import side_paths, write_side_files
from turnparse._sinks import failure
from turnparse._stores import located, remove_orphans, write_whole
from turnparse._summary import Summary
from turnparse._target import Target
from turnparse._tasks import (
    Task,
    checked_summary,
    checked_workers,
    files_written,
    is_device,
    manifest_path,
    require_distinct,
    require_folders,
    require_new,
    tasks_of,
)
from turnparse._urls import redacted

MOST_TOLD: Final = 20
"""Sources that could not be read to their end of which a message tells; of others it says how many there are."""


def convert(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    to: str | Target = "trl",
    preset: str = "default",
    policies: Mapping[str, str] | None = None,
    dialect: Dialect | str = DEFAULT,
    diagnostics: Diagnostics = "structural",
    side: str = "chosen",
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    from_: str | Target | None = None,
    system: str | None = None,
    loss: str | None = None,
    keep_columns: bool = False,
    provenance: bool = False,
    format: str | None = None,  # noqa: A002  # what everybody calls it
    workers: int | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    set_aside: str | os.PathLike[str] | None = None,
    summary: str | os.PathLike[str] | None = None,
    force: bool = False,
    resume: bool = False,
    manifest: bool = True,
    card: bool = False,
    max_row_bytes: int | None = None,
    max_expansion: int | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> Summary:
    """Convert sources to the format of one consumer; every row is written or set aside with its reason.

    Args:
        sources: paths of files of JSON lines or of one JSON array, compressed with gzip or zstd or not, of Parquet or
            Arrow IPC; folders, which are looked through for such files; or patterns such as ``data/*.jsonl.gz``.
            ``-`` is standard input.
        output: the file to write, ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``, ``.parquet`` or ``.arrow``; or a folder
            (one that exists, or a path that ends in a slash), in which each source has an output of its own; ``-`` is
            standard output. Rows keep the order of the input. Beside a file are written the side files that the target has.
        to: the target, as `turnparse targets` lists them, or a `turnparse.targets.Target` of your own.
        preset: ``faithful``, ``default`` or ``strict``.
        policies: {policy: value} on top of the preset, as `turnparse codes` lists them.
        dialect: as for `turnparse.parse`.
        diagnostics: ``"structural"``, or ``"all"`` to count advisory codes as well.
        side: the side of a pair that a target with one conversation a row takes.
        chosen: the column of the preferred side, if not ``chosen``.
        rejected: the column of the other side, if not ``rejected``.
        transcript: the column of single dialogues, if not ``transcript``.
        from_: the target whose format the rows are in; None for transcripts. It must keep all that a transcript says.
        system: a system prompt to add to every conversation; before a row's own, if it has one.
        loss: from which messages a trainer is to learn, ``"last-turn"`` or ``"assistant-turns"``, where the target has a
            key for that; None to leave the key out.
        keep_columns: whether columns that are not read travel along. Of JSON in a Parquet or Arrow output their types
            are those of the first rows, and a row that does not fit them is set aside.
        provenance: whether each row says where it was read: ``source``, the file, and ``line``, 1-based, null where
            the source has no lines.
        format: what is written into a folder: ``"jsonl"`` if not named, ``"jsonl.gz"``, ``"jsonl.zst"``,
            ``"parquet"`` or ``"arrow"``.
        workers: how many threads convert; as many as there are cores if not named. The output is the same, byte by byte.
        engine: what does the work: ``"local"``, the threads of this machine, or ``"ray"``, tasks of Ray, one for each source; then
            *output* is a folder, workers have turnparse in the same version, and see the same files. The output is the same.
        ray_address: the Ray cluster, as for ``ray.init``; by default that which ``RAY_ADDRESS`` names, or one that is
            started here, on loopback only, and ends with the run.
        set_aside: the file for rows set aside; by default *output* and ``.set-aside.jsonl``. Made only when needed.
            Where *output* is a folder each output has its own, there or in the folder named here.
        summary: a file for the summary as JSON, or None.
        force: whether to write over files that are there; without it and *resume*, one that is there is an error.
        resume: whether outputs that an earlier run has finished are left as they are: those of which the manifest still
            tells the truth (the size and digest of each source, the options, the version, and the output itself). All
            others are written anew, whatever is there. The result is the same, byte by byte, as of a run that was not
            disturbed. Outputs whose sources have gone stay, and are told of.
        manifest: whether to write one, last of all: beside a file, with ``.manifest.json`` after its name, or
            ``turnparse-manifest.json`` in a folder. It is what *resume* reads.
        card: whether to write a dataset card, a ``README.md`` in the folder of the output, with metadata for the Hugging Face
            Hub: what the rows are and what they are meant for, how they were made, and the counts. One that is there is
            written over, with *force* or *resume*, only if it is a card as it was written; anybody's own never is.
        max_row_bytes: how many bytes a row may have, 256 MiB if not named: a longer one is set aside, with its beginning. While it is
            converted a row takes up to eight times its size, up to thirteen if it is many turns, and forty if all are empty. Of a
            table it is Arrow's bytes that count.
        max_expansion: how many times its own bytes a compressed file may unzip to, 1,000 if not named; what would come after
            is not read. The first 64 MiB are free.
        on_bytes: called with the number of bytes read, as they are read; never by two threads at once.

    Returns:
        The counts.

    Warns:
        RuntimeWarning: if the dialect is not flat, so that rows are read one by one; or if outputs are left of sources that have gone.
        IntendedUseWarning: if rows were written that those who published such rows do not mean for what the target trains.
        NotTakenWarning: if rows were set aside because the target does not take their kind.

    Raises:
        ArgumentError: if an option is of the wrong type.
        OptionError: if an option has an unknown value, or a file to be written is there, or is a symbolic link.
        DialectError: if the dialect cannot be had.
        SourceError: if no source can be read; then nothing is written.
        OutputError: if an output cannot be written, or is to be new and another has put a file there meanwhile; then nothing
            is left of it.
        IncompleteError: if all that could be written was, but something could not: what is left of a source that proved damaged, any
            of one of which a read failed or that was changed meanwhile, or rows to set aside and no file for them. It holds
            the summary.
    """
    job = Job.of(
        to=to, preset=preset, policies=policies, dialect=dialect, diagnostics=diagnostics, side=side, chosen=chosen,
        rejected=rejected, transcript=transcript, keep_columns=keep_columns, provenance=provenance, system=system, loss=loss,
        from_=from_,
    )  # fmt: skip
    require_callable(on_bytes, "on_bytes")
    threads = checked_workers(workers)
    limits = Limits.of(max_row_bytes, max_expansion)
    counted = checked_summary(summary)
    if resume and not manifest:
        raise OptionError("expected a manifest to resume from, found that it is left out; leave out resume, or keep it")
    new = not (force or resume)
    named = paths_of(sources)
    tasks = tasks_of(shards_of(named), output, set_aside, format, new=new)
    told = manifest_path(tasks, output) if manifest else None
    carded = card_path(tasks, located(output, "the output")) if card else None
    written = _checked_files(job.target, tasks, counted, told, carded, new=new)
    require_engine(engine, ray_address, tasks)
    # Arrow and NumPy take a while to load: a mistake in the call is told before that.
    from turnparse._batches import BatchConverter, warn_if_slow
    from turnparse._manifest import Manifest, options_digest
    from turnparse._run import run
    from turnparse._unit import Unit

    record = (
        None if told is None else Manifest(told, options_digest(job, attrs.asdict(limits)), replace=force or resume)
    )
    runner = engine_named(engine, ray_address, None if workers is None else threads, threads)
    converter = BatchConverter(job)
    warn_if_slow(converter)
    units = [
        Unit(task, limits, record.known(task) if record is not None and resume else None, record is not None)
        for task in tasks
    ]
    try:
        done = run(converter, units, runner, _locked(on_bytes), record)
        write_side_files(job.target, [task.out.name for task, _ in done.there], new=new)
        if resume and record is not None:
            _tell_left_over(record.left_over(tasks))
        if carded is not None:
            asked = {
                "to": to, "from_": from_, "preset": preset, "policies": policies or {}, "system": system, "loss": loss, "side": side,
                "chosen": chosen, "rejected": rejected, "transcript": transcript, "diagnostics": diagnostics,
                "keep_columns": keep_columns, "provenance": provenance, "format": format, "max_row_bytes": max_row_bytes,
                "max_expansion": max_expansion, "card": True,
            }  # fmt: skip
            write_card(carded, Run(job, named, located(output, "the output"), asked, done))
        if counted is not None:
            _write_summary(counted, done.counts, new=new)
        if record is not None:
            record.save(always=True)
    except BaseException:
        # A signal may come between the making of a file and the note that it is there to be discarded.
        remove_orphans(written)
        raise
    warn_of_use(job, done.counts)
    warn_of_kinds(job, done)
    if reasons := _missing(done):
        raise IncompleteError("; ".join(reasons), done.counts)
    return done.counts


def _missing(done: Done) -> list[str]:
    """Return what of a run could not be written, and why."""
    failures = done.failures
    reasons = [str(failed) for failed in failures[:MOST_TOLD]]
    if len(failures) > MOST_TOLD:
        reasons.append(f"and {len(failures) - MOST_TOLD:,} sources more")
    if done.each[0][0].aside is None and done.counts.rows_set_aside:
        rows = f"{done.counts.rows_set_aside} rows"
        reasons.append(f"{rows} were set aside and written nowhere: name a file for them with --set-aside")
    return reasons


def _checked_files(
    target: Target, tasks: list[Task], summary: str | None, manifest: str | None, card: str | None, *, new: bool
) -> list[str]:
    """Return all that is to be written, if it can be, cleared of what runs that were killed have left.

    Raises:
        OptionError: if a file is to be written twice, is a source or a link, is in a file, or is there, and all should be *new*; or
            if somebody else's stands where the card is to be.
        OutputError: if it is in a folder that is not there.
    """
    outputs = [task.out.name for task in tasks]
    written = [*files_written(tasks), *side_paths(target, outputs, shared=False)]
    if summary is not None and not is_device(summary):
        written.append(summary)
    if card is not None:
        written.append(card)
    # What they hold of other outputs is kept.
    kept = side_paths(target, outputs, shared=True)
    if manifest is not None:
        kept.append(manifest)
    require_distinct(tasks, [*written, *kept])
    require_folders(tasks, [*written, *kept], summary)
    if card is not None:
        require_own(card)
    if new:
        require_new(written)
    remove_orphans([*written, *kept])
    return [*written, *kept]


def _tell_left_over(outputs: list[str]) -> None:
    if outputs:
        more = f" and {len(outputs) - 1:,} more" if len(outputs) > 1 else ""
        msg = f"{escape(redacted(outputs[0]), 300)}{more} stays, of a source that is no longer there; remove it if it is not wanted"
        warnings.warn(msg, RuntimeWarning, stacklevel=3)


def _locked(on_bytes: Callable[[int], object] | None) -> Callable[[int], object] | None:
    """Return *on_bytes*, which is then never called by two threads at once."""
    if on_bytes is None:
        return None
    lock = Lock()

    def call(count: int) -> None:
        with lock:
            on_bytes(count)

    return call


def _write_summary(path: str, counts: Summary, *, new: bool) -> None:
    import orjson

    data = orjson.dumps(counts.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        if is_device(path):
            Path(path).write_bytes(data)
        else:
            write_whole(path, data, new=new)
    except (OSError, ValueError) as error:
        raise failure(error, path, "the summary") from None
