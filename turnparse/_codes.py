"""The table of diagnostic codes: what each means, and what each preset does about it.

This is the only place where a code, a policy or a preset is defined. `turnparse codes` prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs

from turnparse._errors import ArgumentError, OptionError, shown

Severity = Literal["structural", "advisory"]
Scope = Literal["transcript", "pair", "row"]

PRESETS: Final = ("faithful", "default", "strict")


@attrs.frozen
class Code:
    """One row of the table.

    Attributes:
        name: the stable code.
        severity: ``"structural"`` if every reader finds it; ``"advisory"`` if it is looked for only when asked for, and no
            preset does anything about it.
        scope: what carries it: a transcript, a pair of them, or a row of a file.
        meaning: one sentence; what the diagnostic's span covers is its last part.
        choices: the values of the policy of the same name; empty where there is nothing to choose.
        presets: the value under each of `PRESETS`, in that order; empty where there is nothing to choose.
    """

    name: str
    severity: Severity
    scope: Scope
    meaning: str
    choices: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()


def _structural(name: str, scope: Scope, meaning: str, choices: str, presets: str) -> Code:
    return Code(name, "structural", scope, meaning, tuple(choices.split()), tuple(presets.split()))


def _advisory(name: str, scope: Scope, meaning: str, choices: str = "") -> Code:
    values = tuple(choices.split())
    # The first of them is to do nothing: what is only worth a look never changes output by itself.
    return Code(name, "advisory", scope, meaning, values, values[:1] * len(PRESETS))


def _always(name: str, scope: Scope, meaning: str) -> Code:
    return _structural(name, scope, meaning, "set-aside", "set-aside set-aside set-aside")


# fmt: off
_TABLE: Final = (
    _structural(
        "preamble",
        "transcript",
        "Text stands before the first marker: that text.",
        "system drop set-aside",
        "system system set-aside",
    ),
    _structural(
        "blank-preamble",
        "transcript",
        "Only white space stands before the first marker: that white space.",
        "keep set-aside",
        "keep keep keep",
    ),
    _structural(
        "cut-off-marker",
        "transcript",
        "The text ends in a paragraph break and a label without its colon: from the break to the end.",
        "keep trim set-aside",
        "keep trim trim",
    ),
    _structural(
        "dangling-human",
        "transcript",
        "The last turn is a Human's and empty: that turn.",
        "keep drop set-aside",
        "keep drop set-aside",
    ),
    _structural(
        "empty-turn",
        "transcript",
        "A turn is empty (neither a dangling Human nor the final response): that turn.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "empty-response",
        "transcript",
        "The last turn is an Assistant's and empty: that turn.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "ends-on-human",
        "transcript",
        "The last turn is a Human's: that turn.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "starts-with-assistant",
        "transcript",
        "The first turn is an Assistant's: its marker.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "same-speaker",
        "transcript",
        "A turn has the speaker of the one before: its marker.",
        "keep merge set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "no-turns",
        "transcript",
        "There is no marker at all: the whole text.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "no-assistant",
        "transcript",
        "There are turns, but none is an Assistant's: the whole text.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _always(
        "not-in-dialect",
        "transcript",
        "The user's own grammar does not accept the text: the place where it stopped, to the end.",
    ),
    _advisory(
        "label-at-line-start",
        "transcript",
        "A label and colon stand at the start of a line inside a turn: label and colon.",
    ),
    _advisory("label-inside", "transcript", "A label and colon stand inside a line of a turn: label and colon."),
    _advisory(
        "near-miss-label",
        "transcript",
        "A line begins with what is nearly a marker (other case, one edit away, the first letters only, "
        "spaces before the colon, or a single newline before it): that word to the colon.",
    ),
    _advisory(
        "control-token",
        "transcript",
        "A control token of a chat template, such as [INST], stands in a turn or the preamble: that token.",
        "keep escape set-aside",
    ),
    _structural(
        "different-preambles",
        "pair",
        "The two sides have different preambles: the preamble.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _structural("empty", "pair", "A side has no messages: that side.", "keep set-aside", "keep set-aside set-aside"),
    _structural(
        "identical",
        "pair",
        "Both sides hold the same messages: the chosen side.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "extends", "pair", "One side is the other and then more: what is more.", "keep set-aside", "keep keep set-aside"
    ),
    _structural(
        "uneven",
        "pair",
        "The sides part and then differ in length: the longer side's turns from there.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "earlier",
        "pair",
        "The sides part before their last turns: the chosen side's turns from there.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _always("bad-json", "row", "The row is not one JSON value in UTF-8."),
    _always("not-an-object", "row", "The row is JSON, but not an object."),
    _always(
        "no-known-column",
        "row",
        "The row has neither chosen and rejected, nor transcript, nor text, nor the named columns.",
    ),
    _always(
        "smuggled-turn",
        "row",
        "The row's messages would read back as others if they were written as a transcript: a content holds a marker.",
    ),
    _always("duplicate-key", "row", "A key that is read, or travels along, stands twice in the row."),
    _always("row-too-long", "row", "The row is longer than --max-row-bytes; only its beginning is kept."),
    _always("source-damaged", "row", "Not a row, but the place from which on its source cannot be read."),
    _always("wrong-type", "row", "A column that is read holds a value of another type."),
    _always(
        "column-mismatch",
        "row",
        "A Parquet or Arrow output has one set of columns, that of its first rows, and the row does not fit it.",
    ),
    _structural(
        "target-rule",
        "row",
        "The row breaks a rule of the target's consumer, or is of a kind that it does not take.",
        "report set-aside",
        "report set-aside set-aside",
    ),
    _advisory(
        "column-clash",
        "row",
        "A column to keep has the name of a column that the target writes: the target's is written.",
    ),
)
# fmt: on

CODES: Final[Mapping[str, Code]] = MappingProxyType({code.name: code for code in _TABLE})


def policy_values(preset: object = "default", overrides: object = None) -> dict[str, str]:
    """Return the value of every policy: those of *preset*, with *overrides* on top.

    Raises:
        OptionError: if the preset, a policy or a value is unknown; the message lists what is known.
        ArgumentError: if *overrides* is neither a mapping nor None.
    """
    if preset not in PRESETS:
        msg = f"expected a preset ({', '.join(PRESETS)}), found {shown(preset)}"
        raise OptionError(msg)
    if overrides is not None and not isinstance(overrides, Mapping):
        msg = f"expected policies to be a mapping of names to values, found {type(overrides).__name__}"
        raise ArgumentError(msg)
    column = PRESETS.index(str(preset))
    values = {code.name: code.presets[column] for code in _TABLE if code.choices}
    for name, value in (overrides or {}).items():
        if name not in values:
            msg = f"expected a policy ({', '.join(values)}), found {shown(name)}"
            raise OptionError(msg)
        if value not in CODES[name].choices:
            msg = f"expected {name} to be one of {', '.join(CODES[name].choices)}, found {shown(value)}"
            raise OptionError(msg)
        values[name] = value
    return values
