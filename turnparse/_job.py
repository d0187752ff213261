"""What is done with one row: read, mended or refused, and written as the target wants it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from turnparse._codes import CODES
from turnparse._dialect import Dialect
from turnparse._errors import RowError, escape
from turnparse._model import Diagnostics, Origin, Pair
from turnparse._policies import Outcome, apply_policies
from turnparse._read import place
from turnparse._red_team import RedTeamAttempt, wrong_type
from turnparse._rows import Columns, decode, recognise
from turnparse._sources import RawRow
from turnparse._target import Side, Target, kind_of

LONG_NUMBER: Final = re.compile(rb"\d{19}")
"""What a number that 64 bits cannot hold has in it; only rows with one need a closer look."""


@attrs.frozen
class Verdict:
    """What became of a row.

    Attributes:
        codes: the codes that it carries; those that set it aside come first, else in the order of their table.
        relation: the relation of a pair, after policies; None for another row, or one that could not be read.
        line: the row as the target wants it, as a line of JSON; None if it is set aside.
        message: why it is set aside; empty if it is not.
    """

    codes: list[str]
    relation: str | None = None
    line: bytes | None = None
    message: str = ""


@attrs.frozen
class Job:
    """What is done with each row of a run.

    Attributes:
        target: the format to write.
        policies: {policy: value}, every policy.
        dialect: how the texts are written.
        diagnostics: which codes to look for.
        side: which side of a pair a target of one conversation takes.
        columns: where the texts are.
        keep_columns: whether columns that are not read travel along.
    """

    target: Target
    policies: Mapping[str, str]
    dialect: Dialect
    diagnostics: Diagnostics
    side: Side
    columns: Columns
    keep_columns: bool

    def verdict(self, raw: RawRow, source: str) -> Verdict:
        """Return what becomes of a row."""
        try:
            row = decode(raw.data)
            item = recognise(row, self.columns, self.dialect, self.diagnostics, Origin(source, raw.line, raw.row))
            outcome = apply_policies(item, self.policies)
            kept = self._kept(row, raw, outcome)
        except RowError as error:
            place(error, raw, source)
            return Verdict([error.code], message=escape(error.message, 400))
        return self._judged(outcome, kept)

    def _judged(self, outcome: Outcome, kept: dict[str, Any]) -> Verdict:
        item = outcome.item
        kind = kind_of(item)
        relation = item.relation if isinstance(item, Pair) else None
        codes = set(outcome.codes)
        blocking = {found.code for found in outcome.refusals}
        reasons = list(dict.fromkeys(f"{found.code}: {found.message}" for found in outcome.refusals))
        if (broken := self._rule_broken(outcome)) is not None:
            codes.add("target-rule")
            if self.policies["target-rule"] == "set-aside" or kind not in self.target.takes:
                reasons.append(broken)
                blocking.add("target-rule")
        line = None
        if not blocking:
            if clash := self.target.written(kind).intersection(kept):
                codes.add("column-clash")
                kept = {name: value for name, value in kept.items() if name not in clash}
            try:
                line = dumped(self.target.record(item, self.side) | kept)
            except TypeError as error:
                codes.add("wrong-type")
                blocking.add("wrong-type")
                reasons.append(f"wrong-type: expected columns that can be written as JSON, found: {error}")
        ordered = [name for name in CODES if name in blocking] + [name for name in CODES if name in codes - blocking]
        return Verdict(ordered, relation, line, escape("; ".join(reasons), 400))

    def _rule_broken(self, outcome: Outcome) -> str | None:
        """Return why the target's consumer would not read the row as meant, or None."""
        kind = kind_of(outcome.item)
        if kind not in self.target.takes:
            return f"the target {self.target.name} takes {' and '.join(self.target.takes)} rows, not {kind} rows"
        broken = next(self.target.broken(outcome.item, self.side), None)
        return None if broken is None else f"rule {broken.name} of {self.target.name}: {broken.because}"

    def _kept(self, row: Mapping[str, Any], raw: RawRow, outcome: Outcome) -> dict[str, Any]:
        """Return the columns of *row* that travel along: all that were not read."""
        if not self.keep_columns:
            return {}
        item = outcome.item
        read = self.columns.read_by(row)
        kept = {name: value for name, value in row.items() if name not in read}
        if isinstance(item, RedTeamAttempt):
            kept = item.extra
        if LONG_NUMBER.search(raw.data):
            exact = json.loads(raw.data)
            for name in kept:
                if exact[name] != row[name]:
                    raise wrong_type(name, exact[name], "of numbers that 64 bits can hold, to be kept")
        return dict(kept)


def dumped(record: Mapping[str, Any]) -> bytes:
    """Return *record* as a line of JSON, its end included.

    Raises:
        TypeError: if it is nested too deeply to be written.
    """
    import orjson

    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def set_aside_line(raw: RawRow, source: str, verdict: Verdict) -> bytes:
    """Return the line of the set-aside file for a row that was set aside."""
    record: dict[str, Any] = {
        "source": source,
        "line": raw.line,
        "row": raw.row,
        "codes": verdict.codes,
        "message": verdict.message,
    }
    try:
        record["raw"] = raw.data.decode("utf-8")
    except UnicodeDecodeError:
        record["raw"] = raw.data.decode("utf-8", "replace")
        record["raw_base64"] = base64.b64encode(raw.data).decode("ascii")
    return dumped(record)
