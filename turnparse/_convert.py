"""The conversion of whole sources: rows in, rows out, rows set aside, and a summary that adds up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import attrs

from turnparse._dialect import DEFAULT, Dialect
from turnparse._errors import IncompleteError, OptionError, SourceError, escape, require_callable, require_path
from turnparse._job import Job, set_aside_line
from turnparse._model import Diagnostics
from turnparse._sinks import STDOUT, JsonLines, checked_output, failure
from turnparse._sources import STDIN, RawRow, open_source
from turnparse._summary import Summary

SET_ASIDE_SUFFIX: Final = ".set-aside.jsonl"


def convert(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    to: str = "trl",
    preset: str = "default",
    policies: Mapping[str, str] | None = None,
    dialect: Dialect | str = DEFAULT,
    diagnostics: Diagnostics = "structural",
    side: str = "chosen",
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    keep_columns: bool = False,
    set_aside: str | os.PathLike[str] | None = None,
    summary: str | os.PathLike[str] | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> Summary:
    """Convert sources to the format of one consumer; every row is written or set aside with its reason.

    Args:
        sources: paths of files of JSON lines, or of one JSON array, gzipped or not; ``-`` is standard input.
        output: the file to write, ``.jsonl`` or ``.jsonl.gz``; ``-`` is standard output.
        to: the target, as `turnparse targets` lists them.
        preset: ``faithful``, ``default`` or ``strict``.
        policies: {policy: value} on top of the preset, as `turnparse codes` lists them.
        dialect: as for `turnparse.parse`.
        diagnostics: ``"structural"``, or ``"all"`` to count advisory codes as well.
        side: the side of a pair that a target with one conversation a row takes.
        chosen: the column of the preferred side, if not ``chosen``.
        rejected: the column of the other side, if not ``rejected``.
        transcript: the column of single dialogues, if not ``transcript``.
        keep_columns: whether columns that are not read travel along.
        set_aside: the file for rows set aside; by default *output* and ``.set-aside.jsonl``. Made only when needed.
        summary: a file for the summary as JSON, or None.
        on_bytes: called with the number of bytes read, as they are read.

    Returns:
        The counts.

    Raises:
        ArgumentError: if an option is of the wrong type.
        OptionError: if an option has an unknown value.
        DialectError: if the dialect cannot be had.
        SourceError: if no source can be read; then nothing is written.
        OutputError: if an output cannot be written; then nothing is left of it.
        IncompleteError: if all that could be written was, but something could not: a source that proved damaged, or
            rows to set aside and no file for them. It holds the summary.
    """
    job = Job.of(
        to=to, preset=preset, policies=policies, dialect=dialect, diagnostics=diagnostics, side=side, chosen=chosen,
        rejected=rejected, transcript=transcript, keep_columns=keep_columns,
    )  # fmt: skip
    require_callable(on_bytes, "on_bytes")
    paths = _paths(sources)
    out, aside, counted = _outputs(output, set_aside, summary, paths)
    run = _Run(job, out, aside)
    try:
        out.open()
        failures = [failed for path in paths if (failed := run.convert(path, on_bytes)) is not None]
        if len(failures) == len(paths) and not run.counts.rows_in:
            raise failures[0]
        out.commit()
        if aside is not None:
            aside.commit()
    finally:
        out.discard()
        if aside is not None:
            aside.discard()
    if counted is not None:
        _write_summary(counted, run.counts)
    reasons = [str(failed) for failed in failures]
    if aside is None and run.counts.rows_set_aside:
        rows = f"{run.counts.rows_set_aside} rows"
        reasons.append(f"{rows} were set aside and written nowhere: name a file for them with --set-aside")
    if reasons:
        raise IncompleteError("; ".join(reasons), run.counts)
    return run.counts


@attrs.define
class _Run:
    """A conversion under way."""

    job: Job
    out: JsonLines
    aside: JsonLines | None
    counts: Summary = attrs.field(factory=Summary)

    def convert(self, path: str, on_bytes: Callable[[int], object] | None) -> SourceError | None:
        """Convert one source; return what is wrong with it, if it cannot be read to its end."""
        counts = self.counts
        try:
            with open_source(path, on_bytes) as source:
                try:
                    for raw in source.rows:
                        self._row(raw, source.path)
                finally:
                    counts.blank_lines += source.blank_lines
        except SourceError as error:
            return error
        return None

    def _row(self, raw: RawRow, source: str) -> None:
        counts = self.counts
        verdict = self.job.verdict(raw, source)
        counts.rows_in += 1
        judgement = verdict.judgement
        counts.diagnostics.update(judgement.codes)
        if judgement.relation is not None:
            counts.relations[judgement.relation] += 1
        if verdict.line is not None:
            self.out.write(verdict.line)
            counts.rows_out += 1
            counts.records_out += 1
            return
        counts.rows_set_aside += 1
        if self.aside is not None:
            self.aside.write(set_aside_line(raw, source, judgement))


def _paths(sources: object) -> list[str]:
    if isinstance(sources, (str, os.PathLike)) or not isinstance(sources, Iterable):
        sources = [sources]
    paths = [require_path(source, "a source") for source in sources]
    if not paths:
        msg = "expected at least one source, found none"
        raise OptionError(msg)
    if paths.count(STDIN) > 1:
        msg = f"expected {STDIN} (standard input) at most once among the sources"
        raise OptionError(msg)
    return paths


def _outputs(
    output: object, set_aside: object, summary: object, paths: list[str]
) -> tuple[JsonLines, JsonLines | None, str | None]:
    """Return what is written: the rows, the rows set aside, and where the summary goes.

    Raises:
        ArgumentError, OptionError: if one of them is no path, cannot be written, or is another one or a source.
    """
    out = checked_output(output, "the output")
    aside = None if out == STDOUT else out + SET_ASIDE_SUFFIX
    if set_aside is not None or aside is not None:
        aside = checked_output(aside if set_aside is None else set_aside, "the file for rows set aside")
    counted = None if summary is None else require_path(summary, "the summary")
    if counted == STDOUT:
        msg = f"expected the summary to be a file, found {STDOUT}: it is shown on standard error anyway"
        raise OptionError(msg)
    taken = {_real(path): path for path in paths if path != STDIN}
    for path in (out, aside, counted):
        if path in (None, STDOUT):
            continue
        if _real(path) in taken:
            msg = f"expected sources and outputs all to be different files, found {escape(path)!r} twice"
            raise OptionError(msg)
        taken[_real(path)] = path
    if out == aside:
        msg = "expected two files for rows and rows set aside, found standard output for both"
        raise OptionError(msg)
    return JsonLines(out), None if aside is None else JsonLines(aside), counted


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path  # to open it will say what is wrong with it


def _write_summary(path: str, counts: Summary) -> None:
    import orjson

    try:
        Path(path).write_bytes(orjson.dumps(counts.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except (OSError, ValueError) as error:
        raise failure(error, path, "the summary") from None
