"""Rows: from the bytes of one row to a pair, an attempt or a transcript, recognised by its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from turnparse._dialect import Dialect
from turnparse._errors import OptionError, RowError, escape, require_str
from turnparse._model import Diagnostics, Origin, Pair, Transcript
from turnparse._red_team import KEYS, TRANSCRIPT, RedTeamAttempt, parse_red_team, wrong_type


@attrs.frozen
class Columns:
    """The names of the columns that hold text.

    Attributes:
        chosen: the preferred side of a pair.
        rejected: the other side.
        transcript: a single dialogue; rows are red-team attempts if they have this column under its usual name, or
            any of their metadata.
        text: a single dialogue without metadata.
    """

    chosen: str = "chosen"
    rejected: str = "rejected"
    transcript: str = TRANSCRIPT
    text: str = "text"

    @classmethod
    def named(cls, chosen: str | None, rejected: str | None, transcript: str | None) -> Columns:
        """Return the usual names, but for those that are given.

        Raises:
            OptionError: if one column is named twice.
        """
        for kind, name in (("chosen", chosen), ("rejected", rejected), ("transcript", transcript)):
            if name is not None:
                require_str(name, f"the column for {kind}")
        names = {"chosen": chosen, "rejected": rejected, "transcript": transcript}
        columns = cls(**{kind: name for kind, name in names.items() if name is not None})
        if columns.chosen == columns.rejected:
            msg = f"expected two columns for chosen and rejected, found {escape(columns.chosen)!r} for both"
            raise OptionError(msg)
        return columns

    def read_by(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the columns that hold *row*'s text; empty if it has none that is known."""
        if self.chosen in row and self.rejected in row:
            return (self.chosen, self.rejected)
        return next(((name,) for name in (self.transcript, self.text) if name in row), ())


def decode(data: bytes) -> dict[str, Any]:
    """Return the JSON object that *data* is.

    Raises:
        RowError: if it is not one JSON value in UTF-8, or not an object.
    """
    import orjson

    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        msg = f"expected one JSON object in UTF-8, found: {escape(str(error.msg), 120)} (byte {error.pos})"
        raise RowError(msg, code="bad-json", column=error.pos + 1) from None
    if not isinstance(row, dict):
        kind = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(row), "a number")
        msg = f"expected a JSON object, found {kind}"
        raise RowError(msg, code="not-an-object")
    return row


def recognise(
    row: Mapping[str, Any], columns: Columns, dialect: Dialect, diagnostics: Diagnostics, origin: Origin | None = None
) -> Pair | RedTeamAttempt | Transcript:
    """Return what *row* is.

    Raises:
        RowError: if it has no known column, or a column that is read has a value of the wrong type.
    """
    names = columns.read_by(row)
    if not names:
        msg = (
            f"expected the columns {escape(columns.chosen)} and {escape(columns.rejected)}, or "
            f"{escape(columns.transcript)}, or {escape(columns.text)}, found {escape(', '.join(row) or 'no columns')}; "
            "name yours with --chosen and --rejected, or --transcript"
        )
        raise RowError(msg, code="no-known-column")
    for name in names:
        if not isinstance(row[name], str):
            raise wrong_type(name, row[name], "a string")
    if len(names) == 2:  # noqa: PLR2004  # a pair has two columns
        chosen, rejected = names
        return attrs.evolve(dialect.read_pair(row[chosen], row[rejected], diagnostics), origin=origin)
    (name,) = names
    if name == TRANSCRIPT or (name == columns.transcript and not KEYS.isdisjoint(row)):
        others = {key: value for key, value in row.items() if key not in (name, TRANSCRIPT)}
        attempt = parse_red_team({TRANSCRIPT: row[name], **others}, dialect=dialect, diagnostics=diagnostics)
        if name != TRANSCRIPT and TRANSCRIPT in row:
            attempt.extra[TRANSCRIPT] = row[TRANSCRIPT]
        return attrs.evolve(attempt, origin=origin)
    return attrs.evolve(dialect.read(row[name], diagnostics), origin=origin)
