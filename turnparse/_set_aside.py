"""Rows that were set aside: the line that each has in a file of its own, and how it is read when that is given back.

Such a file is known by what is in it, row by row. What is then read is the row that was set aside, mended or not, and it
keeps the source, line and number that it had there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from turnparse._chunks import FirstRead, RawRow
from turnparse._codes import CODES
from turnparse._errors import DamagedError, RowError, escape
from turnparse._job import Judgement
from turnparse._json_values import dumped
from turnparse._limits import KEPT
from turnparse._rows import Columns, decode_once

KEYS: Final = frozenset({"source", "line", "row", "codes", "message", "raw"})
"""What each entry has."""

BYTES: Final = "raw_base64"
"""The key of a row's bytes, where they are no UTF-8."""

NOTES: Final = ("offset", "size")
"""What an entry may tell besides, of what cannot be kept whole in it."""

NUMBERS: Final = ("line", "row", *NOTES)
"""The keys of numbers."""

SIGNS: Final = tuple(f'"{key}"'.encode() for key in KEYS)
"""What the text of every entry has in it: other rows are told apart by that, before they are looked into."""

NO_NOTES: Final[Mapping[str, int]] = {}

LONGEST: Final = 4
"""Bytes of a character in UTF-8: so many may be missing where a text was cut."""

LARGEST: Final = 1 << 63
"""What a line and the number of a row are less than."""


class Entry(NamedTuple):
    """The line of the set-aside file for a row, but for the row's number where that is not known yet.

    Attributes:
        before: what stands before the number.
        row: the number: in the source, or, if it is not known how many rows of it come before, in its chunk.
        is_known: whether it is that in the source.
        after: what stands after the number.
    """

    before: bytes
    row: int
    is_known: bool
    after: bytes

    def line(self, rows: int) -> bytes:
        """Return the line, where so many *rows* of the source come before the row's chunk."""
        return b"%b%d%b" % (self.before, self.row if self.is_known else rows + self.row, self.after)


def entries(refused: Iterable[tuple[RawRow, Judgement]], source: str) -> Iterator[Entry]:
    """Yield the entries of rows of *source* that were set aside; of one that is too long, ``size`` says how many bytes it has."""
    # Most have a reason in common with others.
    reasons: dict[int, bytes] = {}
    for raw, judgement in refused:
        first = raw.first_read or FirstRead(
            source, raw.line, raw.row, NO_NOTES if raw.size is None else {"size": raw.size}
        )
        told = reasons.get(id(judgement)) if not first.notes else None
        if told is None:
            told = _inside({"codes": judgement.codes, "message": judgement.message, **first.notes})
            if not first.notes:
                reasons[id(judgement)] = told
        try:
            text = _inside({"raw": raw.data.decode("utf-8")})
        except UnicodeDecodeError:
            kept = base64.b64encode(raw.data).decode("ascii")
            text = _inside({"raw": raw.data.decode("utf-8", "replace"), BYTES: kept})
        line = b"null" if first.line is None else b"%d" % first.line
        before = b'{%b,"line":%b,"row":' % (_named(first.source), line)
        yield Entry(before, first.row, raw.first_read is not None, b",%b,%b}\n" % (told, text))


def _inside(record: dict[str, Any]) -> bytes:
    """Return what JSON has between the braces of *record*."""
    return dumped(record)[1:-2]


@lru_cache(maxsize=64)
def _named(source: str | None) -> bytes:
    return _inside({"source": source})


def damage_line(error: DamagedError, row: int, source: str) -> bytes:
    """Return the line of the set-aside file for all that cannot be read of a damaged *source*, after so many rows."""
    return dumped(
        {
            "source": source,
            "line": error.line,
            "row": row,
            "codes": ["source-damaged"],
            "message": escape(error.message, 400),
            "offset": error.offset,
            "raw": "",
        }
    )


def as_first_read(raw: RawRow, columns: Columns) -> RawRow:
    """Return a row as it was first read, if it is an entry of a set-aside file; any other as it is.

    An entry has the keys of one, and perhaps others, which whoever mended it, or the tool that he did it with, has added. A
    row in which *columns* find texts is none, whatever its keys.
    """
    # Of a row that is too long there may be all: what counts is how long the row is that it tells of.
    if (raw.size is not None and len(raw.data) < raw.size) or not all(sign in raw.data for sign in SIGNS):
        return raw
    try:
        # An entry with a key twice tells two things: it is set aside as what it is, a row like any other.
        entry = _plain(decode_once(raw.data, columns, every=True))
    except RowError:
        return raw
    if not _is_entry(entry) or columns.read_by(entry):
        return raw
    notes: dict[str, int] = {name: entry[name] for name in NOTES if name in entry}
    reason = (entry["codes"][0], entry["message"]) if entry["codes"] else None
    first = FirstRead(entry["source"], entry["line"], entry["row"], notes, reason)
    data = _bytes_of(entry)
    size = notes.get("size")
    # What was cut off is not there to be read, unless the row was mended; what was too long is so still.
    is_cut = size is not None and len(data) < size and len(data) > KEPT - LONGEST
    is_long = size is not None and len(data) >= size and raw.size is not None
    return RawRow(data, entry["line"], raw.row, size if is_cut or is_long else None, first)


def has_entries(names: Collection[str], columns: Columns) -> bool:
    """Tell whether the rows of a table with the columns *names* may be entries."""
    return KEYS.issubset(names) and not columns.read_by(dict.fromkeys(names, ""))


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Return *entry* as it was before a table held it: there all have what one has, and numbers among nulls are floats."""
    plain = {key: value for key, value in entry.items() if key in KEYS or value is not None}
    for key in NUMBERS:
        value = plain.get(key)
        if isinstance(value, float) and value.is_integer():
            plain[key] = int(value)
    return plain


def _is_entry(entry: Mapping[str, Any]) -> bool:
    return (
        entry.keys() >= KEYS
        and isinstance(entry["raw"], str)
        and isinstance(entry["message"], str)
        and isinstance(entry["codes"], list)
        and all(isinstance(code, str) for code in entry["codes"])
        and isinstance(entry["source"], (str, type(None)))
        and (entry["line"] is None or _is_number(entry["line"]))
        and all(_is_number(entry[key]) for key in ("row", *NOTES) if key in entry)
        and isinstance(entry.get(BYTES, ""), str)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def _bytes_of(entry: Mapping[str, Any]) -> bytes:
    """Return the bytes of the row of an entry: those that were read, where its text was not mended since."""
    raw: str = entry["raw"]
    if BYTES in entry:
        try:
            data = base64.b64decode(entry[BYTES], validate=True)
        except (ValueError, binascii.Error):
            data = b""
        if data.decode("utf-8", "replace") == raw:
            return data
    return raw.encode()


def decoded(raw: RawRow, columns: Columns, *, every: bool = False) -> dict[str, Any]:
    """Return the JSON object that a row is, in which no key of *columns* stands twice; none at all if *every*.

    Raises:
        RowError: as `decode_once` does, or if the row is too long; of what was set aside because there is not all of it, and still is not, with the reason
            that it had.
    """
    try:
        raw.require_whole()
        return decode_once(raw.data, columns, every=every)
    except RowError:
        first = raw.first_read
        if first is not None and first.notes and first.reason is not None and first.reason[0] in CODES:
            code, message = first.reason
            raise RowError(message, code=code) from None
        raise
