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
Level = Literal["error", "warning", "note"]

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
        advice: what to do about it, in one sentence.
        choices: the values of the policy of the same name; empty where there is nothing to choose.
        presets: the value under each of `PRESETS`, in that order; empty where there is nothing to choose.
    """

    name: str
    severity: Severity
    scope: Scope
    meaning: str
    advice: str
    choices: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()

    def level(self, preset: str = "default") -> Level:
        """Return how much it matters to who converts with *preset*.

        Returns:
            ``"error"`` if the preset sets rows with it aside; ``"note"`` if no preset does anything about it, as about
            every advisory code; else ``"warning"``.

        Raises:
            OptionError: if there is no such preset.
        """
        column = preset_column(preset)
        if all(value == "keep" for value in self.presets):
            return "note"
        return "error" if self.presets[column] == "set-aside" else "warning"


def preset_column(preset: object) -> int:
    """Return the place of *preset* among `PRESETS`.

    Raises:
        OptionError: if it is none of them.
    """
    if preset not in PRESETS:
        msg = f"expected a preset ({', '.join(PRESETS)}), found {shown(preset)}"
        raise OptionError(msg)
    return PRESETS.index(str(preset))


def _structural(name: str, scope: Scope, meaning: str, advice: str, choices: str, presets: str) -> Code:  # noqa: PLR0917  # a row of the table
    return Code(name, "structural", scope, meaning, advice, tuple(choices.split()), tuple(presets.split()))


def _advisory(name: str, scope: Scope, meaning: str, advice: str, choices: str = "") -> Code:
    values = tuple(choices.split())
    # The first of them is to do nothing: what is only worth a look never changes output by itself.
    return Code(name, "advisory", scope, meaning, advice, values, values[:1] * len(PRESETS))


def _always(name: str, scope: Scope, meaning: str, advice: str) -> Code:
    return _structural(name, scope, meaning, advice, "set-aside", "set-aside set-aside set-aside")


# fmt: off
_TABLE: Final = (
    _structural(
        "preamble",
        "transcript",
        "Text stands before the first marker: that text.",
        "Expect a system message of that text, or drop it with --policy preamble=drop.",
        "system drop set-aside",
        "system system set-aside",
    ),
    _structural(
        "blank-preamble",
        "transcript",
        "Only white space stands before the first marker: that white space.",
        "Nothing to do: white space is no message.",
        "keep set-aside",
        "keep keep keep",
    ),
    _structural(
        "cut-off-marker",
        "transcript",
        "The text ends in a paragraph break and a label without its colon: from the break to the end.",
        "Let convert trim it, as the default preset does; the text may have been cut by whoever made the file.",
        "keep trim set-aside",
        "keep trim trim",
    ),
    _structural(
        "dangling-human",
        "transcript",
        "The last turn is a Human's and empty: that turn.",
        "Let convert drop the turn, as the default preset does; nothing was asked in it.",
        "keep drop set-aside",
        "keep drop set-aside",
    ),
    _structural(
        "empty-turn",
        "transcript",
        "A turn is empty (neither a dangling Human nor the final response): that turn.",
        "Look whether the text was lost on its way; drop such turns with --policy empty-turn=drop.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "empty-response",
        "transcript",
        "The last turn is an Assistant's and empty: that turn.",
        "Leave the row out of training: there is no answer to learn from.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "ends-on-human",
        "transcript",
        "The last turn is a Human's: that turn.",
        "Leave the turn out with --policy ends-on-human=drop, or the row: trainers learn from answers.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "starts-with-assistant",
        "transcript",
        "The first turn is an Assistant's: its marker.",
        "Drop what comes before the first question with --policy starts-with-assistant=drop: templates refuse it.",
        "keep drop set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "same-speaker",
        "transcript",
        "A turn has the speaker of the one before: its marker.",
        "Merge the turns with --policy same-speaker=merge: many chat templates want speakers in turn.",
        "keep merge set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "no-turns",
        "transcript",
        "There is no marker at all: the whole text.",
        "Look how the text is written: other labels are read with --label, other markers with --dialect.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "no-assistant",
        "transcript",
        "There are turns, but none is an Assistant's: the whole text.",
        "Look whether the answer was lost, or its label is another: that one is read with --label.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _always(
        "not-in-dialect",
        "transcript",
        "The user's own grammar does not accept the text: the place where it stopped, to the end.",
        "Mend the text at that place, or the grammar that --dialect names.",
    ),
    _advisory(
        "label-at-line-start",
        "transcript",
        "A label and colon stand at the start of a line inside a turn: label and colon.",
        "Look whether a turn begins there whose paragraph break was lost; convert reads it as content.",
    ),
    _advisory(
        "label-inside",
        "transcript",
        "A label and colon stand inside a line of a turn: label and colon.",
        "Look whether somebody is quoted there, or a turn's break was lost; convert reads it as content.",
    ),
    _advisory(
        "near-miss-label",
        "transcript",
        "A line begins with what is nearly a marker (other case, one edit away, the first letters only, spaces before the colon, or a single newline before it): that word to the colon.",
        "Look whether a turn begins there: mend its label, or name it with --label.",
    ),
    _advisory(
        "control-token",
        "transcript",
        "A control token of a chat template, such as [INST], stands in a turn or the preamble: that token.",
        "Escape such tokens with --control-tokens escape, so that no chat template obeys them.",
        "keep escape set-aside",
    ),
    _structural(
        "different-preambles",
        "pair",
        "The two sides have different preambles: the preamble.",
        "Look which side's preamble is right: trainers want one prompt for both sides.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "empty",
        "pair",
        "A side has no messages: that side.",
        "Leave the row out of training: one side has nothing to compare.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "identical",
        "pair",
        "Both sides hold the same messages: the chosen side.",
        "Leave the row out of training: between equal answers there is nothing to prefer.",
        "keep set-aside",
        "keep set-aside set-aside",
    ),
    _structural(
        "extends",
        "pair",
        "One side is the other and then more: what is more.",
        "Look whether the shorter side was cut off, or judge the pair by hand.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "uneven",
        "pair",
        "The sides part and then differ in length: the longer side's turns from there.",
        "Choose a target that takes sides of different length, or leave the row out with --preset strict.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _structural(
        "earlier",
        "pair",
        "The sides part before their last turns: the chosen side's turns from there.",
        "Choose a target that takes tails of several turns, or leave the row out with --preset strict.",
        "keep set-aside",
        "keep keep set-aside",
    ),
    _always(
        "bad-json",
        "row",
        "The row is not one JSON value in UTF-8.",
        "Mend the row: write each row as one line of JSON in UTF-8.",
    ),
    _always(
        "not-an-object",
        "row",
        "The row is JSON, but not an object.",
        "Make the row an object with the columns chosen and rejected, or transcript, or text.",
    ),
    _always(
        "no-known-column",
        "row",
        "The row has neither chosen and rejected, nor transcript, nor text, nor the named columns.",
        "Name your columns with --chosen and --rejected, or --transcript.",
    ),
    _always(
        "smuggled-turn",
        "row",
        "The row's messages would read back as others if they were written as a transcript: a content holds a marker.",
        "Change the marker in that content, or keep the row as messages.",
    ),
    _always(
        "duplicate-key",
        "row",
        "A key that is read, or travels along, stands twice in the row.",
        "Leave one of the two: readers of JSON disagree on which of them counts.",
    ),
    _always(
        "row-too-long",
        "row",
        "The row is longer than --max-row-bytes; only its beginning is kept.",
        "Split the row, or allow it with a larger --max-row-bytes.",
    ),
    _always(
        "source-damaged",
        "row",
        "Not a row, but the place from which on its source cannot be read.",
        "Get the file anew: what comes after that place is lost.",
    ),
    _always(
        "wrong-type",
        "row",
        "A column that is read holds a value of another type.",
        "Write texts as strings, and metadata as its published type.",
    ),
    _always(
        "column-mismatch",
        "row",
        "A Parquet or Arrow output has one set of columns, that of its first rows, and the row does not fit it.",
        "Write JSON lines, or make the kept columns of one type in all rows.",
    ),
    _structural(
        "target-rule",
        "row",
        "The row breaks a rule of the target's consumer, or is of a kind that it does not take.",
        "Mend the row by a policy, or choose another target; `turnparse targets TARGET` tells the rules.",
        "report set-aside",
        "report set-aside set-aside",
    ),
    _advisory(
        "column-clash",
        "row",
        "A column to keep has the name of a column that the target writes: the target's is written.",
        "Rename the column in the source.",
    ),
)
# fmt: on

CODES: Final[Mapping[str, Code]] = MappingProxyType({code.name: code for code in _TABLE})

OF_OUTPUT: Final = frozenset({"target-rule", "column-mismatch", "column-clash"})
"""The codes of rows as they are written: what is only read has none of them."""


def policy_values(preset: object = "default", overrides: object = None) -> dict[str, str]:
    """Return the value of every policy: those of *preset*, with *overrides* on top.

    Raises:
        OptionError: if the preset, a policy or a value is unknown; the message lists what is known.
        ArgumentError: if *overrides* is neither a mapping nor None.
    """
    column = preset_column(preset)
    if overrides is not None and not isinstance(overrides, Mapping):
        msg = f"expected policies to be a mapping of names to values, found {type(overrides).__name__}"
        raise ArgumentError(msg)
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
