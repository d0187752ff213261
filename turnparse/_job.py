"""What is done with one row: read, mended or refused, and written as the target wants it."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from turnparse._codes import CODES, policy_values
from turnparse._dialect import Dialect, resolve
from turnparse._errors import OptionError, RowError, escape, shown
from turnparse._json_values import dumped
from turnparse._model import Diagnostics, Origin, Pair, Relation
from turnparse._parse import asked
from turnparse._policies import Item, Outcome, apply_policies
from turnparse._red_team import RedTeamAttempt
from turnparse._rows import Columns, recognise
from turnparse._sources import RawRow
from turnparse._target import SIDES, Kind, Side, Target, kind_of, target_named

PROVENANCE: Final = ("source", "line")
"""The columns that say where a row was read."""

PLACES: Final = {code: place for place, code in enumerate(CODES)}
"""{code: its place in the table of codes}."""


@attrs.frozen
class Judgement:
    """What the policies and the target make of a row.

    Attributes:
        codes: the codes that it carries; those that set it aside come first, else in the order of their table.
        item: the row, mended; None if it could not be read.
        relation: the relation of a pair, after policies; None for another row, or one that could not be read.
        message: why it is set aside; empty if it is to be written.
    """

    codes: list[str]
    item: Item | None = None
    relation: Relation | None = None
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
        provenance: whether each row says where it was read.
    """

    target: Target
    policies: Mapping[str, str]
    dialect: Dialect
    diagnostics: Diagnostics
    side: Side
    columns: Columns
    keep_columns: bool
    provenance: bool = False

    @classmethod
    def of(
        cls,
        *,
        to: str,
        preset: str,
        policies: Mapping[str, str] | None,
        dialect: Dialect | str,
        diagnostics: Diagnostics,
        side: str,
        chosen: str | None,
        rejected: str | None,
        transcript: str | None,
        keep_columns: bool,
        provenance: bool = False,
    ) -> Job:
        """Return the job that the options of `turnparse.convert` describe.

        Raises:
            ArgumentError: if an option is of the wrong type.
            OptionError: if an option has an unknown value.
            DialectError: if the dialect cannot be had.
        """
        return cls(
            target_named(to),
            policy_values(preset, policies),
            resolve(dialect),
            asked(diagnostics),
            _side(side),
            Columns.named(chosen, rejected, transcript),
            bool(keep_columns),
            bool(provenance),
        )

    def read(self, row: Mapping[str, Any], origin: Origin | None = None) -> Item:
        """Return what *row* is.

        Raises:
            RowError: if it has no known column, or a column that is read has a value of the wrong type.
        """
        return recognise(row, self.columns, self.dialect, self.diagnostics, origin)

    def judge(self, item: Item, kept: Collection[str] = ()) -> Judgement:
        """Return what the policies and the target make of *item*, whose columns *kept* travel along."""
        outcome = apply_policies(item, self.policies)
        kind = kind_of(outcome.item)
        relation = outcome.item.relation if isinstance(outcome.item, Pair) else None
        broken = self._rule_broken(outcome)
        clash = bool(kept) and not self.written(kind).isdisjoint(kept)
        if not (outcome.codes or broken or clash):
            return Judgement([], outcome.item, relation)
        codes = set(outcome.codes)
        blocking = {found.code for found in outcome.refusals}
        reasons = list(dict.fromkeys(f"{found.code}: {found.message}" for found in outcome.refusals))
        if broken is not None:
            codes.add("target-rule")
            if self.policies["target-rule"] == "set-aside" or kind not in self.target.takes:
                reasons.append(broken)
                blocking.add("target-rule")
        if not blocking and clash:
            codes.add("column-clash")
        ordered = sorted(codes, key=lambda code: (code not in blocking, PLACES[code]))
        return Judgement(ordered, outcome.item, relation, escape("; ".join(reasons), 400) if reasons else "")

    def _rule_broken(self, outcome: Outcome) -> str | None:
        """Return why the target's consumer would not read the row as meant, or None."""
        kind = kind_of(outcome.item)
        if kind not in self.target.takes:
            return f"the target {self.target.name} takes {' and '.join(self.target.takes)} rows, not {kind} rows"
        broken = next(self.target.broken(outcome.item, self.side), None)
        return None if broken is None else f"rule {broken.name} of {self.target.name}: {broken.because}"

    def written(self, kind: Kind) -> set[str]:
        """Return the columns that a row of *kind* is written to."""
        return self.target.written(kind).union(PROVENANCE if self.provenance else ())

    def kept(self, row: Mapping[str, Any], item: Item) -> dict[str, Any]:
        """Return the columns of *row*, which is *item*, that travel along: all that were not read."""
        if not self.keep_columns:
            return {}
        if isinstance(item, RedTeamAttempt) and self.target.metadata:
            return item.extra
        read = self.columns.read_by(row)
        return {name: value for name, value in row.items() if name not in read}


def _side(side: object) -> Side:
    if side == "chosen":
        return "chosen"
    if side == "rejected":
        return "rejected"
    msg = f"expected side to be {' or '.join(SIDES)}, found {shown(side)}"
    raise OptionError(msg)


def unread(error: RowError) -> Judgement:
    """Return the judgement on a row that cannot be read."""
    return Judgement([error.code], message=escape(error.message, 400))


def set_aside_line(raw: RawRow, source: str, judgement: Judgement) -> bytes:
    """Return the line of the set-aside file for a row that was set aside."""
    record: dict[str, Any] = {
        "source": source,
        "line": raw.line,
        "row": raw.row,
        "codes": judgement.codes,
        "message": judgement.message,
    }
    try:
        record["raw"] = raw.data.decode("utf-8")
    except UnicodeDecodeError:
        record["raw"] = raw.data.decode("utf-8", "replace")
        record["raw_base64"] = base64.b64encode(raw.data).decode("ascii")
    return dumped(record)
