"""Rows: from the bytes of one row to a pair, an attempt or a transcript, recognised by its columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from turnparse._dialect import Dialect
from turnparse._duplicates import may_repeat, require_once
from turnparse._errors import OptionError, RowError, escape, listed, require_str
from turnparse._json_values import exactly
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
        """Return the columns that hold *row*'s text; empty if it has none that is known.

        Tables of several kinds of rows have every column in every row, of other kinds null: so a null counts only
        where nothing else does.
        """
        kinds = ((self.chosen, self.rejected), (self.transcript,), (self.text,))
        filled = (names for names in kinds if all(row.get(name) is not None for name in names))
        there = (names for names in kinds if all(name in row for name in names))
        return next(filled, next(there, ()))

    def looked_at(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Return the keys that decide what *row* is, and what is read of it: none of them may stand twice."""
        names = frozenset(attrs.astuple(self))
        read = self.read_by(row)
        attempt = read == (TRANSCRIPT,) or (read == (self.transcript,) and not KEYS.isdisjoint(row))
        return names | KEYS if attempt else names


LONG_NUMBER: Final = re.compile(rb"\d{19}")
"""What a number that 64 bits cannot hold has in it."""


def _bad_json(data: bytes, error: Exception) -> RowError:
    """Return the error that says why *data* is not JSON, given what orjson says."""
    at, reason = getattr(error, "pos", 0), str(getattr(error, "msg", error))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        at, reason = wrong.start, "a byte that is not UTF-8"
    msg = f"expected one JSON object in UTF-8, found: {escape(reason, 120)} (byte {at})"
    return RowError(msg, code="bad-json", column=at + 1)


def decode(data: bytes) -> dict[str, Any]:
    """Return the JSON object that *data* is.

    Raises:
        RowError: if it is not one JSON value in UTF-8, or not an object.
    """
    import orjson

    try:
        # orjson makes floats of integers that 64 bits cannot hold; rows with one are rare.
        row = exactly(data) if LONG_NUMBER.search(data) else orjson.loads(data)
    except (ValueError, RecursionError) as error:
        try:
            # It also refuses what is right but has no place in 64 bits, or lies a thousand levels deep.
            row = exactly(data)
        except (ValueError, RecursionError):
            raise _bad_json(data, error) from None
    if not isinstance(row, dict):
        kind = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(row), "a number")
        msg = f"expected a JSON object, found {kind}"
        raise RowError(msg, code="not-an-object")
    return row


def decode_once(data: bytes, columns: Columns, *, every: bool = False) -> dict[str, Any]:
    """Return the JSON object that *data* is, in which no key that matters stands twice; each does if *every* does.

    Raises:
        RowError: as `decode`; or if one does.
    """
    row = decode(data)
    if may_repeat(data, row):
        require_once(data, None if every else columns.looked_at(row))
    return row


def unknown(names: Collection[str], columns: Columns) -> RowError:
    """Return the error that says that a row with the columns *names* has none that is known."""
    known = [escape(name, 40) for name in attrs.astuple(columns)]
    msg = (
        f"expected the columns {known[0]} and {known[1]}, or {known[2]}, or {known[3]}, found {listed(names, 'no columns')}; "
        "name yours with --chosen and --rejected, or --transcript"
    )
    return RowError(msg, code="no-known-column")


def recognise(
    row: Mapping[str, Any], columns: Columns, dialect: Dialect, diagnostics: Diagnostics, origin: Origin | None = None
) -> Pair | RedTeamAttempt | Transcript:
    """Return what *row* is.

    Raises:
        RowError: if it has no known column, or a column that is read has a value of the wrong type.
    """
    names = columns.read_by(row)
    if not names:
        raise unknown(row, columns)
    for name in names:
        if not isinstance(row[name], str):
            raise wrong_type(name, row[name], "a string")
    if len(names) == 2:  # noqa: PLR2004  # a pair has two columns
        chosen, rejected = names
        pair = dialect.read_pair(row[chosen], row[rejected], diagnostics)
        return pair if origin is None else attrs.evolve(pair, origin=origin)
    (name,) = names
    if name == TRANSCRIPT or (name == columns.transcript and not KEYS.isdisjoint(row)):
        others = {key: value for key, value in row.items() if key not in (name, TRANSCRIPT)}
        attempt = parse_red_team({TRANSCRIPT: row[name], **others}, dialect=dialect, diagnostics=diagnostics)
        if name != TRANSCRIPT and TRANSCRIPT in row:
            attempt.extra[TRANSCRIPT] = row[TRANSCRIPT]
        return attrs.evolve(attempt, origin=origin)
    return attrs.evolve(dialect.read(row[name], diagnostics), origin=origin)
