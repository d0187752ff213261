"""The way back: rows in the format of a target, as the transcripts that they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

import attrs

from turnparse._cells import Cell, Fields, Keys, Message, Messages, Part, System, Text
from turnparse._dialect import Dialect
from turnparse._errors import OptionError, RenderError, RowError, escape, listed, shown
from turnparse._json_values import json_name
from turnparse._markers import ROLES
from turnparse._red_team import KEYS
from turnparse._render import render
from turnparse._rows import Columns
from turnparse._target import Target, targets

WAYS: Final[tuple[tuple[tuple[Part, ...], ...], ...]] = (
    (("shared", "chosen"), ("shared", "rejected")),
    (("whole-chosen",), ("whole-rejected",)),
    (("conversation",),),
    (("prompt", "completion"),),
)
"""The parts that the sides of a row are put together of: two for a pair, one for another."""

Said = list[dict[str, str]]


@attrs.frozen
class WayBack:
    """Reads rows in the format of a target.

    Attributes:
        target: the target.
        dialect: what the transcripts are written in.
        columns: what their columns are called.
    """

    target: Target
    dialect: Dialect
    columns: Columns

    @classmethod
    def of(cls, target: Target, dialect: Dialect, columns: Columns) -> WayBack:
        """Return what reads rows of *target*.

        Raises:
            OptionError: if the target does not keep all that a transcript says, or *dialect* cannot be written.
        """
        if sides_of(target) is None:
            able = ", ".join(name for name, other in targets().items() if sides_of(other) is not None)
            msg = f"expected a target that keeps all of a transcript ({able}), found {target.name}"
            raise OptionError(msg)
        if not {"user", "assistant"} <= dialect.table.canonical.keys():
            msg = f"expected a flat dialect to write transcripts in, found {escape(dialect.name)}"
            raise OptionError(msg)
        return cls(target, dialect, columns)

    @property
    def is_single(self) -> bool:
        """Whether rows are one conversation each."""
        return len(sides_of(self.target) or ()) == 1

    def rest(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of *row* that are none of the target's."""
        return {name: value for name, value in row.items() if name not in self.target.columns}

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return *row* with transcripts in place of the target's columns.

        Raises:
            RowError: if it is no row of the target, or its transcripts would not read back as the same messages.
        """
        said: dict[Part, Said | str] = {}
        system = ""
        needed = {part for side in sides_of(self.target) or () for part in side}
        for name, cell in self.target.columns.items():
            for place, inner, value in _within(name, cell, row.get(name)):
                if isinstance(inner, System):
                    system = _text(place, value) if value is not None else ""
                    continue
                if not isinstance(inner, (Text, Message, Messages)) or inner.part not in needed:
                    continue
                if name not in row:
                    msg = f"expected a column {name}, found {listed(row, 'no columns')}; name with --from the format that they are in"
                    raise RowError(msg, code="no-known-column")
                if isinstance(inner, Text):
                    said[inner.part] = self._cued(place, inner, _text(place, value))
                elif isinstance(inner, Message):
                    said[inner.part] = [_message(place, value, inner.keys)]
                elif isinstance(inner, Messages):
                    said[inner.part] = _messages(place, value, inner.keys)
        texts = [self._transcript([said[part] for part in side], system, side) for side in sides_of(self.target) or ()]
        rest = self.rest(row)
        if len(texts) == 1:
            return rest | {self.columns.text if KEYS.isdisjoint(row) else self.columns.transcript: texts[0]}
        return rest | {self.columns.chosen: texts[0], self.columns.rejected: texts[1]}

    def _cued(self, place: str, cell: Text, text: str) -> str:
        """Return a piece of a transcript, which ends in the assistant's marker where an answer is to follow."""
        cue = self.dialect.table.canonical["assistant"]
        if cell.cue == "append" and not text.endswith(cue):
            _refuse(f"{place} to end in {cue!r}, for the answer to follow", repr(text[-len(cue) :]))
        return text

    def _transcript(self, parts: Sequence[Said | str], system: str, side: Sequence[Part]) -> str:
        if any(isinstance(part, str) for part in parts):
            return "".join(part for part in parts if isinstance(part, str))
        messages = [message for part in parts if not isinstance(part, str) for message in part]
        if system.strip():
            messages = [{"role": "system", "content": system}, *messages]
        try:
            return render(messages, dialect=self.dialect)
        except RenderError as error:
            place = "" if error.index is None else f"; message {error.index} of {' and '.join(side)}"
            raise RowError(error.message + place, code="smuggled-turn") from None


def sides_of(target: Target) -> tuple[tuple[Part, ...], ...] | None:
    """Return the parts that the sides of a row of *target* are put together of; None if it does not keep all of them."""
    if target.second is not None:
        return None
    there = {
        inner.part
        for name, cell in target.columns.items()
        for _, inner, _ in _within(name, cell, None)
        if isinstance(inner, (Messages, Message, Text))
    }
    return next((way for way in WAYS if all(part in there for side in way for part in side)), None)


def _within(place: str, cell: Cell, value: Any) -> Iterator[tuple[str, Cell, Any]]:
    """Yield the cells in *cell*, each with its place in the row and what stands there."""
    if not isinstance(cell, Fields):
        yield place, cell, value
        return
    if value is not None and not isinstance(value, Mapping):
        _refuse(f"{place} to be an object", json_name(value))
    for key, inner in cell.cells.items():
        yield from _within(f"{place}.{key}", inner, None if value is None else value.get(key))


def _messages(place: str, value: Any, keys: Keys) -> Said:
    if not isinstance(value, (list, tuple)):
        _refuse(f"{place} to be a list of messages", json_name(value))
    return [_message(f"{place}[{index}]", message, keys) for index, message in enumerate(value)]


def _message(place: str, value: Any, keys: Keys) -> dict[str, str]:
    if not isinstance(value, Mapping):
        _refuse(f"{place} to be a message", json_name(value))
    known = {keys.role, keys.content} | ({keys.loss.key} if keys.loss is not None else set())
    strange = [key for key in value if key not in known and value[key] is not None]
    if strange or not {keys.role, keys.content} <= value.keys():
        _refuse(f"{place} to have the keys {keys.role} and {keys.content}", listed(value, "no keys"))
    roles = {keys.names.get(role, role): role for role in ROLES.values()}
    role = value[keys.role]
    if not isinstance(role, str) or role not in roles:
        _refuse(f"{place}.{keys.role} to be {', '.join(roles)}", shown(role))
    return {"role": roles[role], "content": _content(f"{place}.{keys.content}", value[keys.content])}


def _content(place: str, value: Any) -> str:
    """Return a content; APIs also have it as a list of one block of text."""
    if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], Mapping):
        (block,) = value
        if block.get("type") == "text" and set(block) == {"type", "text"}:
            return _text(f"{place}[0].text", block["text"])
    return _text(place, value)


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        _refuse(f"{place} to be a string", json_name(value))
    return str(value)


def _refuse(expected: str, found: str, code: str = "wrong-type") -> NoReturn:
    raise RowError(escape(f"expected {expected}, found {found}", 300), code=code)
