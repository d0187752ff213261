"""A row to look at as text for a terminal: the turns that both sides share once, then the two answers side by side.

Nothing of the data reaches the terminal as it is: what does not print, such as escape sequences, and whatever turns the
direction of writing, is shown as an escape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any, Final

import attrs

from turnparse._codes import CODES
from turnparse._diagnose import Diagnostic
from turnparse._model import Pair, Transcript, Turn
from turnparse._red_team import RedTeamAttempt
from turnparse._show_json import begun
from turnparse._target import kind_of
from turnparse._views import View, metadata_of
from turnparse._word_differences import Difference, differences

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST: Final = 20
"""Cells that an answer needs to stand beside the other; below that they stand one above the other."""

LEAST_WIDTH: Final = 30
"""Cells that a line has at least: a terminal that tells of fewer does not know."""

SIGNS: Final = {"chosen": "+", "rejected": "-"}
"""{side: what marks it in the margin}."""

MARKS: Final = {"chosen": ("{+", "+}"), "rejected": ("[-", "-]")}
"""{side: what stands around words that the other does not have, where there are no colours}: as in a word diff of git."""

STYLES: Final = {
    "chosen": "bold green",
    "rejected": "bold red",
    "escape": "reverse",
    "head": "bold",
    "speaker": "cyan",
    "error": "red",
    "warning": "yellow",
    "note": "blue",
}
"""{what is shown: its colour}."""


def as_lines(view: View, width: int, *, color: bool) -> str:
    """Return a row as text that ends in a line feed.

    Args:
        view: the row.
        width: the cells of a line.
        color: whether differences are told by colours, with the codes that a terminal has for them; else by marks.
    """
    return _Page(max(width, LEAST_WIDTH), color=color).of(view)


@attrs.define
class _Notes:
    """The diagnostics of an item, by the turn beside which they stand.

    Attributes:
        beside: {(side, turn among the messages): codes}; the side is None where there are no two.
        above: those of no turn, each with its side.
    """

    beside: dict[tuple[str | None, int], list[str]] = attrs.field(factory=dict)
    above: list[tuple[str | None, str]] = attrs.field(factory=list)

    def take(self, found: Iterable[Diagnostic], transcripts: dict[str | None, Transcript]) -> None:
        for one in found:
            transcript = transcripts[one.side]
            # A preamble is a message before the first turn.
            lead = len(transcript.message_turns) - len(transcript.turns)
            if one.turn is not None:
                self.beside.setdefault((one.side, one.turn + lead), []).append(one.code)
            elif lead and one.code != "no-turns" and one.end <= len(transcript.preamble):
                self.beside.setdefault((one.side, 0), []).append(one.code)
            else:
                self.above.append((one.side, one.code))


class _Page:
    """What turns rows into lines of one width."""

    def __init__(self, width: int, *, color: bool) -> None:
        from rich.console import Console

        self._width = width
        self._color = color
        self._console: Any = Console(
            width=width,
            color_system="standard" if color else None,
            force_terminal=color,
            no_color=not color,
            highlight=False,
        )

    def of(self, view: View) -> str:
        lines: list[Text] = [self._headline(view)]
        item = view.item
        if item is None:
            lines += self._unread(view)
        elif isinstance(item, Pair):
            lines += self._pair(item)
        elif isinstance(item, RedTeamAttempt):
            lines += self._metadata(item)
            lines += self._transcript(item.transcript)
        else:
            lines += self._transcript(item)
        return "".join(self._printed(line) for line in lines) + "\n"

    def _printed(self, line: Text) -> str:
        line.rstrip()
        if not self._color:
            return line.plain + "\n"
        with self._console.capture() as captured:
            self._console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
        text: str = captured.get()
        return text

    def _headline(self, view: View) -> Text:
        item = view.item
        words = [str(view.place), "unread" if item is None else kind_of(item)]
        if isinstance(item, Pair):
            words += [
                item.relation,
                f"{len(item.shared)} shared, {len(item.chosen)} chosen, {len(item.rejected)} rejected",
            ]
        elif view.turns is not None:
            words.append(f"{view.turns} turn{'' if view.turns == 1 else 's'}")
        return _text(" · ".join(words), "head")

    def _unread(self, view: View) -> Iterator[Text]:
        error = view.error
        if error is not None:
            yield from self._wrapped(_text(f"{error.code}: {error.message}", "error"), self._width)
        yield from self._wrapped(_text(begun(view)), self._width)

    def _metadata(self, item: RedTeamAttempt) -> Iterator[Text]:
        found = metadata_of(item)
        margin = max(map(len, found), default=0) + 2
        for name, value in found.items():
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            left, right = _text(name, "speaker"), _text(shown)
            if margin > self._width // 2:
                yield from self._wrapped(_text(f"{name}: {shown}"), self._width)
            else:
                yield from self._beside([left], [(right, self._width - margin)], margin)

    def _transcript(self, item: Transcript) -> Iterator[Text]:
        notes = _Notes()
        notes.take(item.diagnostics, {None: item})
        margin = self._margin(item.message_turns, notes)
        yield from self._above(notes)
        for index, turn in enumerate(item.message_turns):
            yield from self._turn(turn, _codes(notes, [(None, index)]), margin)

    def _pair(self, item: Pair) -> Iterator[Text]:
        notes = _Notes()
        notes.take(item.diagnostics, {"chosen": item.chosen_transcript, "rejected": item.rejected_transcript})
        margin = self._margin((*item.shared, *item.chosen, *item.rejected), notes)
        yield from self._above(notes)
        for index, turn in enumerate(item.shared):
            yield from self._turn(turn, _codes(notes, [("chosen", index), ("rejected", index)]), margin)
        width = (self._width - margin - 3) // 2
        if width < NARROWEST:
            yield from self._one_above_the_other(item, notes, margin)
        else:
            yield from self._side_by_side(item, notes, margin, width)

    def _side_by_side(self, item: Pair, notes: _Notes, margin: int, width: int) -> Iterator[Text]:
        heads = [(_text(f"{SIGNS[side]} {side}", side), width) for side in SIGNS]
        yield from self._beside([], heads, margin)
        shared = len(item.shared)
        for index, (chosen, rejected) in enumerate(zip_longest(item.chosen, item.rejected), shared):
            left = _speakers(chosen, rejected)
            left += [_note(code, SIGNS[side]) for side in SIGNS for code in _codes(notes, [(side, index)])]
            cells = self._compared(chosen, rejected)
            yield from self._beside(left, [(cell, width) for cell in cells], margin)

    def _one_above_the_other(self, item: Pair, notes: _Notes, margin: int) -> Iterator[Text]:
        tails = {"chosen": item.chosen, "rejected": item.rejected}
        compared = [self._compared(*turns) for turns in zip_longest(item.chosen, item.rejected)]
        for place, (side, tail) in enumerate(tails.items()):
            yield _text(f"{SIGNS[side]} {side}", side)
            for at, turn in enumerate(tail):
                codes = _codes(notes, [(side, len(item.shared) + at)])
                yield from self._turn(turn, codes, margin, compared[at][place])

    def _compared(self, chosen: Turn | None, rejected: Turn | None) -> tuple[Text, Text]:
        """Return the contents of two turns, with their differences marked; of one alone without."""
        if chosen is None or rejected is None:
            return _text("" if chosen is None else chosen.content), _text("" if rejected is None else rejected.content)
        found = differences(chosen.content, rejected.content)
        return self._marked(found, "chosen"), self._marked(found, "rejected")

    def _marked(self, found: tuple[Difference, ...], side: str) -> Text:
        text = _text("")
        for one in found:
            stretch = one.chosen if side == "chosen" else one.rejected
            if one.operation == "equal" or not stretch:
                text.append_text(_text(stretch))
            elif self._color:
                text.append_text(_text(stretch, side))
            else:
                before, after = MARKS[side]
                text.append_text(_text(f"{before}{stretch}{after}"))
        return text

    def _margin(self, turns: tuple[Turn, ...], notes: _Notes) -> int:
        """Return how many cells the margin has: those of the longest speaker or code, but no more than a third of all."""
        codes = [code for found in notes.beside.values() for code in _counted(found)]
        names = [_speaker(turn) for turn in turns]
        # The sign of a side comes before what is only one's.
        longest = max((_text(name).cell_len for name in [*codes, *names]), default=0) + 1
        return min(longest + 1, self._width // 3)

    def _above(self, notes: _Notes) -> Iterator[Text]:
        for (side, code), count in Counter(notes.above).items():
            where = f"{side}: " if side else ""
            times = f" x{count}" if count > 1 else ""
            line = _text(f"{where}{code}{times}: {CODES[code].meaning}", CODES[code].level())
            yield from self._wrapped(line, self._width)

    def _turn(self, turn: Turn, codes: list[str], margin: int, content: Text | None = None) -> Iterator[Text]:
        left = [_text(_speaker(turn), "speaker"), *(_note(code, "") for code in codes)]
        cell = _text(turn.content) if content is None else content
        yield from self._beside(left, [(cell, self._width - margin)], margin)

    def _beside(self, left: list[Text], cells: list[tuple[Text, int]], margin: int) -> Iterator[Text]:
        """Yield the lines of the margin and of the cells, each of its width, beside each other."""
        columns = [[line for one in left for line in self._wrapped(one, margin - 1)]]
        columns += [self._wrapped(cell, width) for cell, width in cells]
        widths = [margin, *(width for _, width in cells)]
        for line in zip_longest(*columns):
            row = _text("")
            for place, (part, width) in enumerate(zip(line, widths, strict=True)):
                if place > 1:
                    row.append(" │ ")
                filled = _text("") if part is None else part
                row.append_text(filled)
                row.append(" " * (width - filled.cell_len))
            yield row

    def _wrapped(self, text: Text, width: int) -> list[Text]:
        """Return *text* as lines of so many cells at most, cut between words where that can be."""
        return list(text.wrap(self._console, width, overflow="fold", tab_size=1))


def _text(text: str, style: str = "") -> Text:
    """Return *text* with all that does not print as an escape, line feeds apart."""
    from rich.text import Text

    made = Text(style="", end="")
    color = STYLES.get(style, "")
    if text.replace("\n", "").isprintable():
        return made.append(text, color)
    for is_plain, run in groupby(text, lambda character: character == "\n" or character.isprintable()):
        part = "".join(run)
        if is_plain:
            made.append(part, color)
        else:
            made.append(part.encode("unicode_escape").decode("ascii"), STYLES["escape"])
    return made


def _speaker(turn: Turn) -> str:
    return turn.speaker or turn.role


def _speakers(chosen: Turn | None, rejected: Turn | None) -> list[Text]:
    """Return who speaks, or, if that is not the same on both sides, who on which."""
    named = {side: _speaker(turn) for side, turn in (("chosen", chosen), ("rejected", rejected)) if turn is not None}
    if len(set(named.values())) == 1 and len(named) == len(SIGNS):
        return [_text(named["chosen"], "speaker")]
    return [_text(SIGNS[side] + name, "speaker") for side, name in named.items()]


def _codes(notes: _Notes, places: list[tuple[str | None, int]]) -> list[str]:
    """Return the codes that stand beside a turn, of the first of *places* that has some: what is shared has them twice."""
    found: dict[str, None] = {}
    for place in places:
        for code in _counted(notes.beside.get(place, [])):
            found.setdefault(code)
    return list(found)


def _counted(codes: list[str]) -> list[str]:
    return [code if count == 1 else f"{code} x{count}" for code, count in Counter(codes).items()]


def _note(code: str, sign: str) -> Text:
    return _text(sign + code, CODES[code.partition(" ")[0]].level())
