"""The scan reader: a flat dialect's markers as one regular expression, which splits a text into its turns.

It is the same definition as the tree reader's, compiled differently; that the two agree on every text is tested.
"""

from __future__ import annotations

from turnparse._markers import MarkerTable
from turnparse._model import Pair, Reading, Transcript, Turn, form_pair, make_turn


def scan(text: str, reading: Reading) -> Transcript:
    """Return *text* as a transcript."""
    table = reading.table
    if not table.may_stand_in(text):
        return Transcript(text, (), reading)
    parts = table.inner(text).split(text)
    preamble = parts[0]
    if preamble or not table.separable:
        opening = table.opening.match(text)
        if opening is not None:
            parts = ["", opening[0], *table.inner(text).split(text[opening.end() :])]
            preamble = ""
    return Transcript(preamble, _turns(parts, len(preamble), table), reading)


def scan_pair(chosen: str, rejected: str, reading: Reading) -> Pair:
    """Return two texts as a pair; what they share is scanned once, on the chosen side.

    Where both texts agree up to the chosen side's last turn, its other turns are the rejected side's too, but for
    the last of them: on that side it may go on, where no marker follows; or end sooner, where a marker begins in
    the last characters that both texts share. So the rejected side's scan begins with those characters.
    """
    table = reading.table
    left = scan(chosen, reading)
    turns = left.turns
    if not turns[1:] or not table.separable:
        return form_pair(left, scan(rejected, reading))
    before, last = turns[-2], turns[-1].start
    if rejected[:last] != chosen[:last]:
        return form_pair(left, scan(rejected, reading))
    resume = max(before.start + len(before.mark.literal), last - table.longest + 1)
    rest = rejected[resume:]
    parts = table.inner(rest).split(rest) if table.may_stand_in(rest) else [rest]
    ends = resume + len(parts[0])
    known = turns[:-1]
    if ends != last:
        text = before.text[: resume - before.start - len(before.mark.literal)] + parts[0]
        known = (*turns[:-2], Turn(before.mark, text, before.start))
    right = Transcript(left.preamble, known + _turns(parts, ends, table), reading)
    # The turn before the last is shared as it is if another follows it on this side too.
    return form_pair(left, right, len(turns) - 2 + (ends == last and len(parts) > 1))


def _turns(parts: list[str], start: int, table: MarkerTable) -> tuple[Turn, ...]:
    """Return the turns of *parts*: after its first, marker and text in turn, the first marker at *start*."""
    marks = table.marks
    turns = []
    for index in range(1, len(parts), 2):
        marker, text = parts[index], parts[index + 1]
        turns.append(make_turn(marks[marker], text, start))
        start += len(marker) + len(text)
    return tuple(turns)
