"""The conversion of whole sources: rows in, rows out, rows set aside, and a summary that adds up."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import attrs

from turnparse._codes import CODES, policy_values
from turnparse._dialect import DEFAULT, Dialect, resolve
from turnparse._errors import IncompleteError, OptionError, RowError, SourceError, escape
from turnparse._model import Diagnostics, Origin, Pair, Relation
from turnparse._parse import asked
from turnparse._policies import Outcome, apply_policies
from turnparse._read import place
from turnparse._rows import Columns, decode, recognise
from turnparse._sinks import STDOUT, JsonLines, checked_output
from turnparse._sources import STDIN, RawRow, open_source
from turnparse._target import SIDES, Side, Target, kind_of, target_named

SET_ASIDE_SUFFIX: Final = ".set-aside.jsonl"


@attrs.define
class Summary:
    """What became of the rows. ``rows_in == rows_out + rows_set_aside``, always.

    Attributes:
        rows_in: rows read.
        rows_out: rows of the input that were written.
        rows_set_aside: rows that were not, each with its reason.
        records_out: records written; a target may write two for one row.
        blank_lines: lines of white space only; they are no rows.
        diagnostics: {code: rows that carry it at least once, before policies or after}.
        relations: {relation: pairs that have it after policies}.
    """

    rows_in: int = 0
    rows_out: int = 0
    rows_set_aside: int = 0
    records_out: int = 0
    blank_lines: int = 0
    diagnostics: Counter[str] = attrs.field(factory=Counter)
    relations: Counter[str] = attrs.field(factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON has it: codes and relations in the order of their tables."""
        return {
            **attrs.asdict(self),
            "diagnostics": {code: self.diagnostics[code] for code in CODES if code in self.diagnostics},
            "relations": {name: self.relations[name] for name in get_args(Relation) if name in self.relations},
        }


@attrs.frozen
class _Job:
    """What is done with each row."""

    target: Target
    policies: Mapping[str, str]
    dialect: Dialect
    diagnostics: Diagnostics
    side: Side
    columns: Columns
    keep_columns: bool

    def outcome(self, raw: RawRow, source: str) -> tuple[Outcome, dict[str, Any]]:
        """Return what becomes of a row, and the row as JSON.

        Raises:
            RowError: if it cannot be read, or the target refuses it.
        """
        try:
            row = decode(raw.data)
            item = recognise(row, self.columns, self.dialect, self.diagnostics, Origin(source, raw.line, raw.row))
        except RowError as error:
            place(error, raw, source)
            raise
        return apply_policies(item, self.policies), row

    def rule_broken(self, outcome: Outcome) -> str | None:
        """Return why the target's consumer would not read the row as meant, or None."""
        kind = kind_of(outcome.item)
        if kind not in self.target.takes:
            return f"the target {self.target.name} takes {' and '.join(self.target.takes)} rows, not {kind} rows"
        broken = next(self.target.broken(outcome.item, self.side), None)
        return None if broken is None else f"rule {broken.name} of {self.target.name}: {broken.because}"

    def kept(self, row: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
        """Return the columns of *row* that travel along: all that were not read."""
        item = outcome.item
        if not self.keep_columns:
            return {}
        if not isinstance(item, Pair) and hasattr(item, "extra"):
            return dict(item.extra)
        read = self.columns.read_by(row)
        return {name: value for name, value in row.items() if name not in read}


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
        OptionError: if an option has an unknown value.
        DialectError: if the dialect cannot be had.
        SourceError: if no source can be read, or the output cannot be written; then nothing is.
        IncompleteError: if all that could be written was, but something could not: a source that proved damaged, or
            rows to set aside and no file for them. It holds the summary.
    """
    job = _Job(
        target_named(to),
        policy_values(preset, dict(policies or {})),
        resolve(dialect),
        asked(diagnostics),
        _side(side),
        Columns.named(chosen, rejected, transcript),
        keep_columns,
    )
    paths = _paths(sources)
    out, aside = _sinks(output, set_aside, paths)
    counts = Summary()
    failures: list[SourceError] = []
    try:
        out.open()
        for path in paths:
            try:
                _convert_source(path, job, out, aside, counts, on_bytes)
            except SourceError as error:
                if error.source in (out.name, aside and aside.name):
                    raise
                failures.append(error)
        if len(failures) == len(paths) and not counts.rows_in:
            raise failures[0]
        out.commit()
        if aside is not None:
            aside.commit()
    finally:
        out.discard()
        if aside is not None:
            aside.discard()
    if summary is not None:
        _write_summary(summary, counts)
    reasons = [str(failure) for failure in failures]
    if aside is None and counts.rows_set_aside:
        reasons.append(f"{counts.rows_set_aside} rows were set aside and written nowhere: name a file with --set-aside")
    if reasons:
        raise IncompleteError("; ".join(reasons), counts)
    return counts


def _side(side: str) -> Side:
    if side == "chosen":
        return "chosen"
    if side == "rejected":
        return "rejected"
    msg = f"expected side to be {' or '.join(SIDES)}, found {side!r}"
    raise OptionError(msg)


def _paths(sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    paths = [os.fspath(source) for source in given]
    if not paths:
        msg = "expected at least one source, found none"
        raise OptionError(msg)
    if paths.count(STDIN) > 1:
        msg = f"expected {STDIN} (standard input) at most once among the sources"
        raise OptionError(msg)
    return paths


def _sinks(
    output: str | os.PathLike[str], set_aside: str | os.PathLike[str] | None, paths: list[str]
) -> tuple[JsonLines, JsonLines | None]:
    name = checked_output(output)
    default = None if name == STDOUT else name + SET_ASIDE_SUFFIX
    aside = default if set_aside is None else checked_output(set_aside)
    taken = {os.path.realpath(path) for path in paths if path != STDIN}
    for written in (name, aside):
        if written not in (None, STDOUT) and os.path.realpath(written) in taken:
            msg = f"expected outputs other than the sources, found {escape(written)!r} as both"
            raise OptionError(msg)
        taken.add(os.path.realpath(written) if written not in (None, STDOUT) else "")
    if set_aside is not None and aside == name:
        msg = f"expected two files for output and rows set aside, found {escape(name)!r} for both"
        raise OptionError(msg)
    if set_aside is None and aside is not None:
        # That of an earlier run would be taken for this one's.
        Path(aside).unlink(missing_ok=True)
    return JsonLines(name), None if aside is None else JsonLines(aside)


def _convert_source(  # noqa: PLR0917  # each is another part of the run
    path: str,
    job: _Job,
    out: JsonLines,
    aside: JsonLines | None,
    counts: Summary,
    on_bytes: Callable[[int], object] | None,
) -> None:
    with open_source(path, on_bytes) as source:
        try:
            for raw in source.rows:
                counts.rows_in += 1
                codes, message, record = _row(raw, source.name, job, counts)
                if record is not None:
                    out.write(record)
                    counts.rows_out += 1
                    counts.records_out += 1
                    continue
                counts.rows_set_aside += 1
                if aside is not None:
                    aside.write(_set_aside(raw, source.name, codes, message))
        finally:
            counts.blank_lines += source.blank_lines


def _row(raw: RawRow, source: str, job: _Job, counts: Summary) -> tuple[list[str], str, dict[str, Any] | None]:
    """Return a row's codes, why it is set aside, and the record to write; the record is None if it is set aside."""
    try:
        outcome, row = job.outcome(raw, source)
    except RowError as error:
        counts.diagnostics[error.code] += 1
        return [error.code], error.message, None
    if isinstance(outcome.item, Pair):
        counts.relations[outcome.item.relation] += 1
    codes = set(outcome.codes)
    reasons = list(dict.fromkeys(f"{found.code}: {found.message}" for found in outcome.refusals))
    blocking = {found.code for found in outcome.refusals}
    taken = kind_of(outcome.item) in job.target.takes
    if (broken := job.rule_broken(outcome)) is not None:
        codes.add("target-rule")
        if job.policies["target-rule"] == "set-aside" or not taken:
            reasons.append(broken)
            blocking.add("target-rule")
    record = None
    if not blocking:
        kept = job.kept(row, outcome)
        if clash := job.target.written(kind_of(outcome.item)).intersection(kept):
            codes.add("column-clash")
            kept = {name: value for name, value in kept.items() if name not in clash}
        record = job.target.record(outcome.item, job.side) | kept
    counts.diagnostics.update(codes)
    ordered = [code for code in CODES if code in blocking] + [code for code in CODES if code in codes - blocking]
    return ordered, escape("; ".join(reasons), 400), record


def _set_aside(raw: RawRow, source: str, codes: list[str], message: str) -> dict[str, Any]:
    record = {"source": source, "line": raw.line, "row": raw.row, "codes": codes, "message": message}
    try:
        return record | {"raw": raw.data.decode("utf-8")}
    except UnicodeDecodeError:
        replaced = raw.data.decode("utf-8", "replace")
        return record | {"raw": replaced, "raw_base64": base64.b64encode(raw.data).decode("ascii")}


def _write_summary(path: str | os.PathLike[str], counts: Summary) -> None:
    import orjson

    try:
        Path(path).write_bytes(orjson.dumps(counts.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except (OSError, ValueError) as error:
        msg = f"expected to write the summary, found: {escape(str(error), 200)}"
        raise SourceError(msg, source=escape(os.fspath(path), 300)) from None
