"""What is done with one row: read, mended or refused, and written as the target wants it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, Final

import attrs

from turnparse._cells import LOSSES, Loss, Writing, led
from turnparse._codes import CODES, policy_values
from turnparse._dialect import Dialect, resolve
from turnparse._errors import OptionError, RenderError, RowError, escape, require_str, shown
from turnparse._markers import PREAMBLE
from turnparse._model import Diagnostics, Origin, Pair, Relation, Transcript, Turn
from turnparse._parse import asked
from turnparse._policies import Item, apply_policies
from turnparse._red_team import RedTeamAttempt
from turnparse._render import render
from turnparse._rows import Columns, recognise
from turnparse._target import SIDES, Kind, Rule, Side, Target, kind_of, target_named, targets
from turnparse._way_back import WayBack

PROVENANCE: Final = ("source", "line")
"""The columns that say where a row was read."""

PLACES: Final = {code: place for place, code in enumerate(CODES)}
"""{code: its place in the table of codes}."""


@attrs.frozen
class Judgement:
    """What the policies and the target make of a row.

    Attributes:
        codes: the codes that it carries; those that set it aside come first, else in the order of their table.
        item: the row, mended; None if it could not be read.
        relation: the relation of a pair, after policies; None for another row, or one that could not be read.
        message: why it is set aside; empty if it is to be written.
    """

    codes: list[str]
    item: Item | None = None
    relation: Relation | None = None
    message: str = ""


@attrs.frozen
class Job:
    """What is done with each row of a run.

    Attributes:
        target: the format to write.
        policies: {policy: value}, every policy.
        dialect: how the texts are written.
        diagnostics: which codes to look for.
        side: which side of a pair a target of one conversation takes.
        columns: where the texts are.
        keep_columns: whether columns that are not read travel along.
        provenance: whether each row says where it was read.
        system: a system prompt to add to each conversation, without surrounding white space; None for none.
        loss: from which messages a trainer is to learn, where the target can say so; None to leave that out.
        back: what reads the rows, if they are in the format of a target.
    """

    target: Target
    policies: Mapping[str, str]
    dialect: Dialect
    diagnostics: Diagnostics
    side: Side
    columns: Columns
    keep_columns: bool
    provenance: bool = False
    system: str | None = None
    loss: Loss | None = None
    back: WayBack | None = None

    @classmethod
    def of(
        cls,
        *,
        to: str | Target,
        preset: str,
        policies: Mapping[str, str] | None,
        dialect: Dialect | str,
        diagnostics: Diagnostics,
        side: str,
        chosen: str | None,
        rejected: str | None,
        transcript: str | None,
        keep_columns: bool,
        provenance: bool = False,
        system: str | None = None,
        loss: str | None = None,
        from_: str | Target | None = None,
    ) -> Job:
        """Return the job that the options of `turnparse.convert` describe.

        Raises:
            ArgumentError: if an option is of the wrong type.
            OptionError: if an option has an unknown value.
            DialectError: if the dialect cannot be had.
        """
        target, resolved = target_named(to), resolve(dialect)
        columns = Columns.named(chosen, rejected, transcript)
        back = None if from_ is None else WayBack.of(target_named(from_), resolved, columns)
        if back is not None and back.is_single and target.singles is not None:
            target = target_named(target.singles)
        if target.writes_text and not {"user", "assistant"} <= resolved.table.canonical.keys():
            msg = f"expected a flat dialect for the target {target.name}, which writes text, found {escape(resolved.name)}"
            raise OptionError(msg)
        return cls(
            target,
            policy_values(preset, policies),
            resolved,
            asked(diagnostics),
            _side(side),
            columns,
            bool(keep_columns),
            bool(provenance),
            _system(system, target, resolved),
            _loss(loss, target),
            back,
        )

    @cached_property
    def writing(self) -> Writing:
        """What cells are made with."""
        return Writing(self.dialect.table, self.system, self.loss)

    def read(self, row: Mapping[str, Any], origin: Origin | None = None) -> Item:
        """Return what *row* is.

        Raises:
            RowError: if it has no known column, or a column that is read has a value of the wrong type.
        """
        if self.back is not None:
            row = self.back.row(row)
        return recognise(row, self.columns, self.dialect, self.diagnostics, origin)

    def judge(self, item: Item, kept: Collection[str] = ()) -> Judgement:
        """Return what the policies and the target make of *item*, whose columns *kept* travel along."""
        outcome = apply_policies(item, self.policies)
        kind = kind_of(outcome.item)
        relation = outcome.item.relation if isinstance(outcome.item, Pair) else None
        mended = outcome.item if self.system is None else _led(outcome.item, self.system)
        broken, refusal = self._rules_broken(mended, kind)
        clash = bool(kept) and not self.written(kind).isdisjoint(kept)
        if not (outcome.codes or broken or clash):
            return Judgement([], mended, relation)
        codes = set(outcome.codes)
        blocking = {found.code for found in outcome.refusals}
        reasons = list(dict.fromkeys(f"{found.code}: {found.message}" for found in outcome.refusals))
        if broken:
            codes.add("target-rule")
            if refusal:
                reasons.append(refusal)
                blocking.add("target-rule")
        if not blocking and clash:
            codes.add("column-clash")
        ordered = sorted(codes, key=lambda code: (code not in blocking, PLACES[code]))
        return Judgement(ordered, mended, relation, escape("; ".join(reasons), 400) if reasons else "")

    def _rules_broken(self, item: Item, kind: Kind) -> tuple[bool, str]:
        """Return whether the target's consumer would not read the row as meant, and why it is set aside, if it is."""
        if kind not in self.target.takes:
            return True, f"the target {self.target.name} takes {' and '.join(self.target.takes)} rows, not {kind} rows"
        broken = list(self.target.broken(item, self.side, led=self.system is not None))
        refusal = next((self.reason(rule) for rule in broken if self.enforces(rule)), "")
        if not refusal and self.target.writes_text:
            refusal = _unreadable(item, self.dialect)
        return bool(broken or refusal), refusal

    def enforces(self, rule: Rule) -> bool:
        """Tell whether a row that breaks *rule* is set aside."""
        return rule.schema or self.policies["target-rule"] == "set-aside"

    def refusal(self, rule: Rule) -> Judgement:
        """Return the judgement on a row of which nothing else is to be said than that it breaks *rule*."""
        return Judgement(["target-rule"], message=escape(self.reason(rule), 400))

    def reason(self, rule: Rule) -> str:
        """Return why a row that breaks *rule* is set aside."""
        return f"rule {rule.name} of {self.target.name}: {rule.because}"

    def written(self, kind: Kind) -> set[str]:
        """Return the columns that a row of *kind* is written to."""
        return self.target.written(kind).union(PROVENANCE if self.provenance else ())

    def kept(self, row: Mapping[str, Any], item: Item | None) -> dict[str, Any]:
        """Return the columns of *row*, which is *item* if it could be read, that travel along: all that were not read."""
        if not self.keep_columns:
            return {}
        if isinstance(item, RedTeamAttempt) and self.target.metadata:
            return item.extra
        if self.back is not None:
            return self.back.rest(row)
        read = self.columns.read_by(row)
        return {name: value for name, value in row.items() if name not in read}


def _led(item: Item, prompt: str) -> Item:
    """Return *item* with a system prompt before its messages, or before what is in the one that leads them."""
    if isinstance(item, RedTeamAttempt):
        return attrs.evolve(item, transcript=_led_transcript(item.transcript, prompt))
    if isinstance(item, Transcript):
        return _led_transcript(item, prompt)
    if not item.shared and any(tail and tail[0].role == "system" for tail in (item.chosen, item.rejected)):
        # The sides part at once, in what leads them.
        return attrs.evolve(item, chosen=_led_turns(item.chosen, prompt), rejected=_led_turns(item.rejected, prompt))
    return attrs.evolve(item, shared=_led_turns(item.shared, prompt))


def _led_turns(turns: tuple[Turn, ...], prompt: str) -> tuple[Turn, ...]:
    if turns and turns[0].role == "system":
        return (Turn(turns[0].mark, led(prompt, turns[0].content), 0), *turns[1:])
    return (Turn(PREAMBLE, prompt, 0), *turns)


def _led_transcript(transcript: Transcript, prompt: str) -> Transcript:
    turns = transcript.message_turns
    if turns and turns[0].role == "system":
        # A preamble is none of the turns; of a dialect that knows a system's label, its turn is.
        rest = transcript.turns[len(transcript.turns) - len(turns) + 1 :]
        return attrs.evolve(transcript, preamble=led(prompt, turns[0].content), turns=rest)
    return attrs.evolve(transcript, preamble=prompt)


def _unreadable(item: Item, dialect: Dialect) -> str:
    """Return why *item* cannot be written as text, if what is written would not read back as the same messages."""
    if isinstance(item, Pair):
        sides = [item.shared + item.chosen, item.shared + item.rejected]
    else:
        sides = [(item.transcript if isinstance(item, RedTeamAttempt) else item).message_turns]
    for turns in sides:
        try:
            render([turn.message() for turn in turns], dialect=dialect)
        except RenderError as error:
            return f"as text it would not read back: {error.message}"
    return ""


def _system(system: object, target: Target, dialect: Dialect) -> str | None:
    """Return the system prompt of a run.

    Raises:
        ArgumentError: if it is no text.
        OptionError: if it is blank, is no Unicode, or would be read as turns where *target* is text of *dialect*.
    """
    if system is None:
        return None
    prompt = require_str(system, "the system prompt").strip()
    try:
        if not prompt or not prompt.encode():
            raise OptionError("expected a system prompt, found only white space; leave it out")
        if target.writes_text:
            render([{"role": "system", "content": prompt}, {"role": "user", "content": "q"}], dialect=dialect)
    except UnicodeEncodeError:
        raise OptionError("expected the system prompt to be Unicode, found a lone surrogate") from None
    except RenderError as error:
        msg = f"expected a system prompt that reads back from the text of {target.name}, found: {error.message}"
        raise OptionError(msg) from None
    return prompt


def _loss(loss: object, target: Target) -> Loss | None:
    """Return from which messages a trainer is to learn.

    Raises:
        OptionError: if that is unknown, or *target* cannot say it.
    """
    if loss is None:
        return None
    if loss not in LOSSES:
        msg = f"expected loss to be {' or '.join(LOSSES)}, found {shown(loss)}"
        raise OptionError(msg)
    if target.loss is None:
        able = [name for name, other in targets().items() if other.loss is not None]
        msg = f"expected a target with loss marks ({', '.join(able)}), found {target.name}"
        raise OptionError(msg)
    return "last-turn" if loss == "last-turn" else "assistant-turns"


def _side(side: object) -> Side:
    if side == "chosen":
        return "chosen"
    if side == "rejected":
        return "rejected"
    msg = f"expected side to be {' or '.join(SIDES)}, found {shown(side)}"
    raise OptionError(msg)


def unread(error: RowError) -> Judgement:
    """Return the judgement on a row that cannot be read."""
    return Judgement([error.code], message=escape(error.message, 400))
