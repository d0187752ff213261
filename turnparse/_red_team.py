"""Red-team attempts: a transcript, and what its raters and its maker's tables say of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import attrs

from turnparse._diagnose import Diagnostic
from turnparse._dialect import DEFAULT, Dialect, resolve
from turnparse._errors import ArgumentError, RowError, escape, listed, shown
from turnparse._model import Diagnostics, Message, Origin, Placed, Transcript
from turnparse._parse import asked

if TYPE_CHECKING:
    from cattrs import Converter

TRANSCRIPT: Final = "transcript"
MISSPELT: Final = {"task_descripton_harmlessness_score": "task_description_harmlessness_score"}
"""{the key as the published file spells it: the key as its dataset card spells it}. Both are read."""


@attrs.frozen
class RedTeamAttempt(Placed):
    """One row of HH-RLHF's red-team attempts (https://huggingface.co/datasets/Anthropic/hh-rlhf).

    Attributes:
        transcript: the dialogue.
        min_harmlessness_score_transcript: the lowest score of any turn of the assistant, by a preference model;
            higher is less harmful.
        num_params: the size of the model, such as ``"52B"``.
        model_type: the kind of model.
        rating: how well the attempt went, as the person who made it saw it: 0 to 4.
        task_description: what the person set out to do.
        task_description_harmlessness_score: the score of that description.
        red_team_member_id: the person, as a number.
        is_upworker: whether they came through Upwork.
        tags: up to six strings, or None: only a part of the file has them.
        extra: every other key of the row, as it was.
        origin: where it was read from, if from a file; else None.

    Metadata that a row does not have is None.
    """

    transcript: Transcript
    min_harmlessness_score_transcript: float | None = None
    num_params: str | None = None
    model_type: str | None = None
    rating: float | None = None
    task_description: str | None = None
    task_description_harmlessness_score: float | None = None
    red_team_member_id: int | None = None
    is_upworker: bool | None = None
    tags: tuple[str, ...] | None = None
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about the transcript."""
        return self.transcript.diagnostics

    @property
    def codes(self) -> frozenset[str]:
        """The codes of `diagnostics`."""
        return self.transcript.codes

    def messages(self) -> list[Message]:
        """Return the transcript as chat messages."""
        return self.transcript.messages()

    def metadata(self) -> dict[str, Any]:
        """Return {field: value} of the nine metadata fields, in their order, as JSON has them."""
        values = {name: getattr(self, name) for name in METADATA}
        return values | {"tags": None if self.tags is None else list(self.tags)}


METADATA: Final = tuple(
    field.name for field in attrs.fields(RedTeamAttempt) if field.name not in (TRANSCRIPT, "extra", "origin")
)
"""The names of the nine metadata fields, in their order."""

KEYS: Final = frozenset({*METADATA, *MISSPELT})
"""Every key of a row that is metadata."""


def parse_red_team(
    row: Mapping[str, Any], *, dialect: Dialect | str = DEFAULT, diagnostics: Diagnostics = "structural"
) -> RedTeamAttempt:
    """Return a row of red-team attempts, its transcript parsed and its metadata checked.

    Args:
        row: the row as JSON gives it. ``transcript`` must be there; metadata that is not there is None; an int is
            accepted for a float; keys that are unknown go to `RedTeamAttempt.extra`.
        dialect: as for `turnparse.parse`.
        diagnostics: as for `turnparse.parse`.

    Raises:
        ArgumentError: if *row* is not a mapping.
        RowError: if ``transcript`` is missing, or a value has the wrong type: the message names the field, the
            value and the expected type.
        DialectError: if the dialect cannot be had.
        OptionError: if *diagnostics* is neither of its values.
    """
    _require_mapping(row)
    if TRANSCRIPT not in row:
        msg = f"expected the key {TRANSCRIPT!r}, found {listed(row, 'no keys')}"
        raise RowError(msg, code="no-known-column")
    if not isinstance(row[TRANSCRIPT], str):
        raise wrong_type(TRANSCRIPT, row[TRANSCRIPT], "a string")
    values = {name: row[name] for name in METADATA if name in row}
    for key, name in MISSPELT.items():
        if key not in row:
            continue
        if name in row and row[key] is None:
            continue
        if row.get(name) is not None and row[name] != row[key]:
            msg = f"expected {key} and {name} to agree, found {_shown(row[key])} and {_shown(row[name])}"
            raise RowError(msg, code="wrong-type")
        values[name] = row[key]
    extra = {key: value for key, value in row.items() if key not in KEYS and key != TRANSCRIPT}
    transcript = resolve(dialect).read(row[TRANSCRIPT], asked(diagnostics))
    return attrs.evolve(_structured(values), transcript=transcript, extra=extra)


def _require_mapping(row: object) -> None:
    if not isinstance(row, Mapping):
        msg = f"expected a red-team row to be a mapping, found {type(row).__name__}"
        raise ArgumentError(msg)


def wrong_type(name: str, value: object, expected: str) -> RowError:
    """Return the error that says that column *name* holds *value*, which is not *expected*."""
    msg = f"expected {escape(str(name))} to be {expected}, found {_shown(value)}"
    return RowError(msg, code="wrong-type")


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} {shown(value)}"
    kinds: dict[type, str] = {str: "the string", bool: "the boolean", int: "the number", float: "the number"}
    return f"{kinds.get(type(value), type(value).__name__)} {shown(value)}"


def _structured(values: dict[str, Any]) -> RedTeamAttempt:
    from cattrs.errors import ClassValidationError

    try:
        return _converter().structure({**values, TRANSCRIPT: None}, RedTeamAttempt)
    except ClassValidationError as group:
        (error, note), *_ = group.group_exceptions()[0]
        expected = str(error.args[0]) if isinstance(error, _MismatchError) else "of another type"
        raise wrong_type(note.name, values[note.name], expected) from None


class _MismatchError(Exception):
    """A value has the wrong type; its only argument is what was expected. Never leaves this module."""


def _finite(number: float) -> float:
    with suppress(OverflowError):
        if isfinite(number):
            return float(number)
    raise _MismatchError("a number that 64 bits can hold")


@cache
def _converter() -> Converter:
    """Return what checks metadata: strict, since to guess that "4" is 4 would change data in silence."""
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, override

    def number(value: object, _: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _finite(value)
        raise _MismatchError("a number or null")

    def whole(value: object, _: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise _MismatchError("a whole number or null")

    def truth(value: object, _: object) -> bool:
        if isinstance(value, bool):
            return value
        raise _MismatchError("true, false or null")

    def text(value: object, _: object) -> str:
        if isinstance(value, str):
            return value
        raise _MismatchError("a string or null")

    def texts(value: object, _: object) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise _MismatchError("a list of strings or null")

    converter = Converter()
    for kind, hook in ((float, number), (int, whole), (bool, truth), (str, text)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook(
        RedTeamAttempt,
        make_dict_structure_fn(
            RedTeamAttempt,
            converter,
            transcript=override(struct_hook=lambda value, _: value),
            tags=override(struct_hook=texts),
            extra=override(omit=True),
            origin=override(omit=True),
        ),
    )
    return converter
