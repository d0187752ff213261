"""The one family of errors: each says where, what was expected, what was found, and what to do. And what is warned of."""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import islice
from typing import Any, Final

MOST_LISTED: Final = 8
"""Keys that a message lists at most."""


def escape(text: str, limit: int = 80) -> str:
    """Return *text* fit for a message: control characters escaped, at most *limit* characters, cut in the middle.

    A message may hold pieces of hostile data; a terminal must never obey them, nor a log drown in them.
    """
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(value: object, limit: int = 40) -> str:
    """Return the `repr` of *value* fit for a message; the name of its type if it has no `repr`, as a huge int."""
    try:
        return escape(repr(value), limit)
    except Exception:  # noqa: BLE001  # a repr is the caller's code, and may raise anything
        return f"some {type(value).__name__}"


def listed(keys: Collection[object], nothing: str = "none") -> str:
    """Return *keys* as a message lists them: each as `shown`, of many the first few; *nothing* if there are none."""
    more = f" and {len(keys) - MOST_LISTED:,} more" if len(keys) > MOST_LISTED else ""
    return (", ".join(shown(key) for key in islice(keys, MOST_LISTED)) or nothing) + more


class TurnparseError(Exception):
    """The base of every error that turnparse raises on purpose.

    Attributes:
        message: what was expected, what was found, and what to do; one line.
        source: the file (or other source) it was found in, or None.
        row: the 0-based row of that source, or None.
        line: the 1-based line, or None.
        column: the 1-based column of that line, or, without lines, of the row as JSON; or None.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        row: int | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.row = row
        self.line = line
        self.column = column

    def __str__(self) -> str:
        parts = (self.source, self.line, self.column if self.line is not None else None)
        place = ":".join(str(part) for part in parts if part is not None)
        if self.line is None and self.row is not None:
            # As of tables, which have no lines: a number after the name would be taken for one.
            place = f"{place}, row {self.row}" if place else f"row {self.row}"
        return f"{place}: {self.message}" if place else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders in dataset jobs; the default would lose the keyword arguments.
        return _restore, (type(self), self.message, self.__dict__)


def _restore(cls: type[TurnparseError], message: str, state: dict[str, Any]) -> TurnparseError:
    error = cls.__new__(cls, message)
    error.args = (message,)  # OSError leaves them to an __init__ that is not called here
    error.__dict__.update(state)
    return error


class ArgumentError(TurnparseError, TypeError):
    """An argument has the wrong type, as when a transcript is not a `str`."""


class OptionError(TurnparseError, ValueError):
    """An option is unknown or has an unknown value: a preset, a policy, a target, a side."""


class DialectError(TurnparseError, ValueError):
    """A grammar cannot be read, or cannot serve as a dialect."""


class ParseError(TurnparseError, ValueError):
    """A text is not in the language of a user's own grammar (the shipped ones accept every text).

    Attributes:
        offset: the 0-based character where the grammar stopped.
    """

    offset: int = 0


class RenderError(TurnparseError, ValueError):
    """Messages cannot be written as a transcript that reads back as the same messages.

    Attributes:
        index: the 0-based message that is at fault, or None.
        offset: the 0-based character of that message's content, or None.
    """

    def __init__(self, message: str, *, index: int | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.index = index
        self.offset = offset


class RowError(TurnparseError, ValueError):
    """A row cannot be read as a pair, an attempt or a transcript.

    Attributes:
        code: the code of the table that `turnparse codes` prints, such as ``"bad-json"``.
        raw: the row as it was read, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        raw: bytes | None = None,
        source: str | None = None,
        row: int | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, source=source, row=row, line=line, column=column)
        self.code = code
        self.raw = raw


class SourceError(TurnparseError, OSError):
    """A source cannot be opened, or not be read to its end."""

    # OSError would otherwise build its own text from errno and file name.
    __str__ = TurnparseError.__str__


class DamagedError(SourceError):
    """A source is not what it set out to be from some byte on; the rows before are sound.

    Attributes:
        offset: the 0-based byte of the file where that shows, as it is stored: of a compressed one, before it is unzipped.
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int,
        source: str | None = None,
        row: int | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, source=source, row=row, line=line, column=column)
        self.offset = offset


class FaultError(SourceError):
    """A source could not be read though nothing need be wrong with it: a read failed, or it was changed meanwhile."""


class OutputError(TurnparseError, OSError):
    """An output cannot be written; nothing is left of it."""

    __str__ = TurnparseError.__str__


class IncompleteError(TurnparseError, RuntimeError):
    """Everything that could be written was, but something could not; the message says what.

    Attributes:
        summary: the `Summary` of what was done.
    """

    def __init__(self, message: str, summary: Any) -> None:
        super().__init__(message)
        self.summary = summary


class IntendedUseWarning(UserWarning):
    """Rows were written for a use that those who published such rows did not mean them for."""


class NotTakenWarning(UserWarning):
    """Rows were set aside because they are of a kind that the target does not take, and other targets do."""


def require_str(value: object, name: str) -> str:
    """Return *value* if it is a `str`.

    Raises:
        ArgumentError: if it is anything else.
    """
    if isinstance(value, str):
        return value
    msg = f"expected {name} to be a str, found {type(value).__name__}"
    if isinstance(value, bytes):
        msg += "; decode it first, as in data.decode('utf-8')"
    raise ArgumentError(msg)


def require_callable(value: object, name: str) -> None:
    """Check that *value* is callable, or None.

    Raises:
        ArgumentError: if it is anything else.
    """
    if value is not None and not callable(value):
        msg = f"expected {name} to be callable, found {type(value).__name__}"
        raise ArgumentError(msg)


def require_path(value: object, name: str) -> str:
    """Return *value* as the text of a path, if it is a `str` or a path.

    Raises:
        ArgumentError: if it is anything else.
    """
    if isinstance(value, os.PathLike):
        value = value.__fspath__()
    if isinstance(value, str):
        return value
    msg = f"expected {name} to be a path, found {type(value).__name__}"
    raise ArgumentError(msg)
