"""Finding what is odd in a transcript or a pair: one function for each kind, each giving exact spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import attrs

from turnparse._codes import CODES, Severity
from turnparse._control_tokens import control_tokens

if TYPE_CHECKING:  # the model imports this module, so that its diagnostics are its own
    from turnparse._markers import MarkerTable
    from turnparse._model import Transcript, Turn

Side = Literal["chosen", "rejected"]
Finding = tuple[str, int, int, "int | None"]
"""A code, the characters it spans, and the turn it is in."""


@attrs.frozen
class Diagnostic:
    """One oddity and its place.

    Attributes:
        code: a name of the table `turnparse codes`.
        start: the first character of the oddity in its text, 0-based.
        end: one past its last character: ``text[start:end]`` is exactly the oddity.
        line: the 1-based line of *start*; lines end at a line feed.
        column: the 1-based column of *start*, in characters.
        turn: the 0-based turn that it is in or is, or None.
        side: ``"chosen"`` or ``"rejected"`` for a diagnostic of a pair, else None.
    """

    code: str
    start: int
    end: int
    line: int
    column: int
    turn: int | None = None
    side: Side | None = None

    @property
    def severity(self) -> Severity:
        """``"structural"`` or ``"advisory"``."""
        return CODES[self.code].severity

    @property
    def message(self) -> str:
        """One sentence: where, and what the code means."""
        side = f"{self.side}, " if self.side else ""
        turn = "" if self.turn is None else f"turn {self.turn}, "
        return f"{side}{turn}line {self.line}, column {self.column}: {CODES[self.code].meaning}"


def locate(text: str, findings: Iterable[Finding], side: Side | None = None) -> tuple[Diagnostic, ...]:
    """Return *findings* as diagnostics with lines and columns, in the order of their places."""
    located = []
    line, line_start, seen = 1, 0, 0
    # One pass over the text however many findings there are: a million odd turns must stay linear.
    for code, start, end, turn in sorted(findings, key=lambda finding: finding[1]):
        line += text.count("\n", seen, start)
        line_start = max(line_start, text.rfind("\n", seen, start) + 1)
        seen = start
        located.append(Diagnostic(code, start, end, line, start - line_start + 1, turn, side))
    return tuple(located)


def cut_off(text: str, table: MarkerTable) -> int | None:
    """Return where a cut-off marker begins at the end of *text*, or None if there is none."""
    bare = text.rstrip()
    if not bare.endswith(table.cut_off_heads):
        return None
    return next(len(bare) - len(head) for head in table.cut_off_heads if bare.endswith(head))


def before_cut_off(text: str, table: MarkerTable) -> int:
    """Return where the cut-off markers at the end of *text* begin, of which each may follow another; its end if there are none."""
    end = len(text)
    while True:
        bare = end
        # To strip the text would copy all of it, each time.
        while bare and text[bare - 1].isspace():
            bare -= 1
        head = next((head for head in table.cut_off_heads if text.endswith(head, 0, bare)), None)
        if head is None:
            return end
        end = bare - len(head)


def structural(transcript: Transcript) -> list[Finding]:
    """Return what is structurally odd about *transcript*."""
    preamble, turns = transcript.preamble, transcript.turns
    if transcript.failed_at is not None:
        return [("not-in-dialect", transcript.failed_at, len(preamble), None)]
    found: list[Finding] = []
    if preamble and transcript.system_content:
        found.append(("preamble", 0, len(preamble), None))
    elif preamble and turns:
        found.append(("blank-preamble", 0, len(preamble), None))
    last = turns[-1] if turns else None
    ending, base = (preamble, 0) if last is None else (last.text, last.start + len(last.mark.literal))
    at = cut_off(ending, transcript.reading.table)
    if at is not None:
        found.append(("cut-off-marker", base + at, base + len(ending), len(turns) - 1 if turns else None))
    if last is None:
        found.append(("no-turns", 0, len(preamble), None))
        return found
    found += _turn_by_turn(turns, last)
    return found


def _turn_by_turn(turns: tuple[Turn, ...], last: Turn) -> list[Finding]:
    found: list[Finding] = []
    previous: str | None = None
    answered = False
    # Every row of a file comes through here, and nearly none has anything to find.
    for index, turn in enumerate(turns):
        role = turn.mark.role
        if role == previous:
            found.append(("same-speaker", turn.start, turn.start + len(turn.mark.literal), index))
        elif role == "assistant" and previous in (None, "system"):
            found.append(("starts-with-assistant", turn.start, turn.start + len(turn.mark.literal), index))
        if not turn.text or turn.text.isspace():
            code = "empty-turn"
            if turn is last:
                code = {"user": "dangling-human", "assistant": "empty-response"}.get(role, code)
            found.append((code, turn.start, turn.end, index))
        elif turn is last and role == "user":
            found.append(("ends-on-human", turn.start, turn.end, index))
        answered = answered or role == "assistant"
        previous = role
    if not answered:
        found.append(("no-assistant", 0, last.end, None))
    return found


def advisory(transcript: Transcript) -> Iterator[Finding]:
    """Yield what is worth a look in *transcript* though no preset ever touches it."""
    yield from tokens(transcript)
    table = transcript.reading.table
    if table.labelled is None:
        return
    for index, turn in enumerate(transcript.turns):
        text, base = turn.text, turn.start + len(turn.marker)
        for match in table.labelled.finditer(text):
            line_start = match.start() > 0 and text[match.start() - 1] in "\r\n"
            code = "label-at-line-start" if line_start else "label-inside"
            yield code, base + match.start(), base + match.end(), index
        yield from _near_misses(text, base, index, table)
    yield from _near_misses(transcript.preamble, 0, None, table)


def tokens(transcript: Transcript) -> Iterator[Finding]:
    """Yield the control tokens of *transcript*: of what it says, for its own marks may be such tokens."""
    for start, end in control_tokens(transcript.preamble):
        yield "control-token", start, end, None
    for index, turn in enumerate(transcript.turns):
        base = turn.start + len(turn.marker)
        for start, end in control_tokens(turn.text):
            yield "control-token", base + start, base + end, index


def _near_misses(text: str, base: int, turn: int | None, table: MarkerTable) -> Iterator[Finding]:
    if table.near_labels is None:
        return
    for match in table.near_labels.finditer(text):
        # The text of a turn begins after its marker, so only a preamble begins at a line start.
        if (match.start() or turn is None) and table.is_near_label(match[1]):
            yield "near-miss-label", base + match.start(), base + match.end(), turn


def pair_findings(
    relation: str, shared: int, chosen: Transcript, rejected: Transcript
) -> Iterator[tuple[Side, Finding]]:
    """Yield, with its side, what is odd about two transcripts as a pair.

    Args:
        relation: the pair's relation.
        shared: how many leading messages both sides share, but never the last.
        chosen: the side that was preferred.
        rejected: the other.
    """
    sides: tuple[tuple[Side, Transcript], ...] = (("chosen", chosen), ("rejected", rejected))
    if chosen.system_content != rejected.system_content:
        side, transcript = sides[0] if chosen.system_content else sides[1]
        yield side, ("different-preambles", 0, len(transcript.preamble), None)
    if relation == "empty":
        for side, transcript in sides:
            if not transcript.message_turns:
                yield side, ("empty", 0, len(str(transcript)), None)
        return
    if relation == "last-turn":
        return
    side, transcript = max(sides, key=lambda pair: len(pair[1].message_turns))
    turns = transcript.message_turns
    if relation == "identical":
        first = 0
    elif relation == "extends":
        first = min(len(chosen.message_turns), len(rejected.message_turns))
    else:
        first = shared
    start = 0 if relation == "identical" else turns[first].start
    index = first - (len(turns) - len(transcript.turns))
    yield side, (relation, start, turns[-1].end, index if index >= 0 else None)
