"""Policies: what is done about each oddity. Transcripts are mended first, then the pair is formed and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Final

import attrs

from turnparse._control_tokens import holds_control_token, without_control_tokens
from turnparse._diagnose import Diagnostic, before_cut_off
from turnparse._model import Pair, Transcript, Turn, form_pair, make_turn
from turnparse._red_team import RedTeamAttempt

Item = Pair | RedTeamAttempt | Transcript

MERGE_SEPARATOR: Final = "\n\n"
"""What stands between two turns of one speaker that were merged: a paragraph break, as inside any turn."""


@attrs.frozen
class Outcome:
    """What the policies made of a row.

    Attributes:
        item: the row, mended where a policy says so. Turns of a mended transcript have their spans in its own new text.
        codes: every code that the row carries, before mending or after.
        refusals: what sets the row aside; empty if it is to be written.
    """

    item: Item
    codes: frozenset[str]
    refusals: tuple[Diagnostic, ...]


def apply_policies(item: Item, values: Mapping[str, str]) -> Outcome:
    """Return what the policies *values* make of *item*.

    Args:
        item: a pair, an attempt or a transcript.
        values: {policy: value}, every policy, as `turnparse._codes.policy_values` gives them.
    """
    if values["control-token"] != "keep":
        item = _looked_through(item)
    if isinstance(item, Pair):
        chosen, rejected = mend(item.chosen_transcript, values), mend(item.rejected_transcript, values)
        mended: Item = item
        if chosen is not item.chosen_transcript or rejected is not item.rejected_transcript:
            mended = attrs.evolve(form_pair(chosen, rejected), origin=item.origin)
        # The relation counts as it is after mending: a pair is only formed then.
        before = item.chosen_transcript.codes | item.rejected_transcript.codes
    elif isinstance(item, RedTeamAttempt):
        mended = attrs.evolve(item, transcript=mend(item.transcript, values))
        before = item.transcript.codes
    else:
        mended = mend(item, values)
        before = item.codes
    codes = mended.codes
    refused = [code for code in codes if values.get(code) == "set-aside"]
    # Where it stands is worth looking up only of what sets a row aside.
    refusals = tuple(found for found in mended.diagnostics if found.code in refused) if refused else ()
    return Outcome(mended, before | codes, refusals)


def _looked_through(item: Item) -> Item:
    """Return *item* so that its control tokens are among what is found of it; the same object if it has none."""
    if isinstance(item, RedTeamAttempt):
        transcript = _watched(item.transcript)
        return item if transcript is item.transcript else attrs.evolve(item, transcript=transcript)
    if isinstance(item, Transcript):
        return _watched(item)
    chosen, rejected = _watched(item.chosen_transcript), _watched(item.rejected_transcript)
    if chosen is item.chosen_transcript and rejected is item.rejected_transcript:
        return item
    return attrs.evolve(item, chosen_transcript=chosen, rejected_transcript=rejected)


def _watched(transcript: Transcript) -> Transcript:
    texts = (transcript.preamble, *(turn.text for turn in transcript.turns))
    if transcript.reading.asked == "all" or not any(map(holds_control_token, texts)):
        return transcript
    return attrs.evolve(transcript, reading=attrs.evolve(transcript.reading, control_tokens=True))


def mend(transcript: Transcript, values: Mapping[str, str]) -> Transcript:
    """Return *transcript* with every oddity mended for which *values* say ``trim``, ``drop``, ``merge`` or ``escape``.

    Returns the same object if there is none, or if its dialect does not accept the text. One mending can bring about
    another, so they are repeated; each leaves less to mend: a shorter text, or, once, one without control tokens, which
    no other mending brings about. So they end.
    """
    while True:
        codes = transcript.codes
        if not codes or transcript.failed_at is not None:
            return transcript
        do = next((mending for code, mending in _MENDINGS.items() if code in codes and values[code] in _ACTIONS), None)
        if do is None:
            return transcript
        transcript = do(transcript, values)


def _rebuilt(transcript: Transcript, turns: list[Turn], preamble: str | None = None) -> Transcript:
    preamble = transcript.preamble if preamble is None else preamble
    start = len(preamble)
    placed = []
    for turn in turns:
        placed.append(turn if turn.start == start else attrs.evolve(turn, start=start))
        start = placed[-1].end
    return attrs.evolve(transcript, preamble=preamble, turns=tuple(placed))


def _drop_preamble(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    return _rebuilt(transcript, list(transcript.turns), "")


def _mend_end(transcript: Transcript, values: Mapping[str, str]) -> Transcript:
    """Trim what was cut off, and drop what then dangles, until neither is left.

    Each may come to light where the other was, a hundred thousand times in a hostile text: so only the end is looked at.
    """
    turns, preamble = list(transcript.turns), transcript.preamble
    table = transcript.reading.table
    trims = values["cut-off-marker"] == "trim"
    # Empty turns inside are dropped before those of a Human at the end, if they are dropped.
    drops = values["ends-on-human"] == "drop" and values["empty-turn"] != "drop"
    while turns:
        last = turns[-1]
        if trims and (end := before_cut_off(last.text, table)) < len(last.text):
            turns[-1] = last = attrs.evolve(last, text=last.text[:end])
        if last.role != "user" or not (drops if last.content else values["dangling-human"] == "drop"):
            break
        _drop_alike(turns)
    if trims and not turns:
        preamble = preamble[: before_cut_off(preamble, table)]
    return _rebuilt(transcript, turns, preamble)


def _drop_last(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    turns = list(transcript.turns)
    _drop_alike(turns)
    return _rebuilt(transcript, turns)


def _drop_alike(turns: list[Turn]) -> None:
    """Drop the last turn, and those before it that are just like it: of a Human, and empty or not as it is."""
    empty = not turns[-1].content
    while turns and turns[-1].role == "user" and (not turns[-1].content) == empty:
        turns.pop()


def _drop_first(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    """Drop the turns of the Assistant that come before any of a Human."""
    turns = list(transcript.turns)
    first = next((index for index, turn in enumerate(turns) if turn.role == "user"), len(turns))
    return _rebuilt(transcript, [turn for turn in turns[:first] if turn.role != "assistant"] + turns[first:])


def _drop_empty(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    *turns, last = transcript.turns
    # An empty last turn is another code's, unless its role has none.
    keep_last = last.content or last.role != "system"
    return _rebuilt(transcript, [turn for turn in turns if turn.content] + ([last] if keep_last else []))


def _merge(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    turns = []
    for _, run in groupby(transcript.turns, key=lambda turn: turn.role):
        first, *others = run
        if others:
            contents = [turn.content for turn in (first, *others) if turn.content]
            first = make_turn(first.mark, " " + MERGE_SEPARATOR.join(contents), first.start)
        turns.append(first)
    return _rebuilt(transcript, turns)


def _escape(transcript: Transcript, _: Mapping[str, str]) -> Transcript:
    turns = [
        attrs.evolve(turn, text=without_control_tokens(turn.text)) if holds_control_token(turn.text) else turn
        for turn in transcript.turns
    ]
    return _rebuilt(transcript, turns, without_control_tokens(transcript.preamble))


_ACTIONS: Final = ("trim", "drop", "merge", "escape")
_MENDINGS: Final[dict[str, Callable[[Transcript, Mapping[str, str]], Transcript]]] = {
    "preamble": _drop_preamble,
    "cut-off-marker": _mend_end,
    "dangling-human": _mend_end,
    "empty-turn": _drop_empty,
    "ends-on-human": _drop_last,
    "starts-with-assistant": _drop_first,
    "same-speaker": _merge,
    "control-token": _escape,
}
