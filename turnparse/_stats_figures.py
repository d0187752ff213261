"""What `turnparse stats` tells of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from turnparse._errors import SourceError
from turnparse._spreads import Spread


@attrs.frozen
class RowCounts:
    """How many rows there are. ``read == counted + unreadable``, always.

    Attributes:
        read: rows read.
        counted: rows of which all other figures tell.
        unreadable: rows that cannot be read; what is left of a source that proves damaged is one.
        blank_lines: lines of white space only; they are no rows.
    """

    read: int
    counted: int
    unreadable: int
    blank_lines: int


@attrs.frozen
class SharedPrefix:
    """How much of pairs their sides share.

    Attributes:
        share: of the length of all sides together, what is shared; None if there is none.
        pairs: the same of each pair, if it has any length.
    """

    share: float | None
    pairs: Spread | None


@attrs.frozen
class LengthBias:
    """How long the preferred answers are against the others. An answer is what follows the shared turns.

    Attributes:
        chosen_longer: pairs of which the preferred answer is longer.
        equal: pairs of which both are as long.
        rejected_longer: pairs of which the other is longer.
        chosen_longer_share: the first, of all of them.
        difference: by how much the preferred answer is longer; negative where it is shorter.
    """

    chosen_longer: int
    equal: int
    rejected_longer: int
    chosen_longer_share: float
    difference: Spread


@attrs.frozen
class Duplicates:
    """How many of some things are the same.

    Attributes:
        counted: how many there are.
        distinct: how many of them differ.
        repeated: how many stand in a source that had the same before.
        in_several_sources: how many of those that differ stand in more than one source.
    """

    counted: int
    distinct: int
    repeated: int
    in_several_sources: int


@attrs.frozen
class SourceCounts:
    """A source.

    Attributes:
        source: its path.
        split: the split that its name tells of: ``"train"``, ``"test"``, ``"validation"`` or None.
        rows: rows read.
        unreadable: those that cannot be read.
        distinct_rows: how many rows differ.
        rows_elsewhere: those of them that stand in another source too.
        distinct_prompts: how many prompts differ.
        prompts_elsewhere: those of them that stand in another source too.
    """

    source: str
    split: str | None
    rows: int
    unreadable: int
    distinct_rows: int
    rows_elsewhere: int
    distinct_prompts: int
    prompts_elsewhere: int


@attrs.frozen
class ModelCounts:
    """The red-team attempts on a type of models. Of types and tags 60 characters are kept, escaped.

    Attributes:
        model_type: the type; None for attempts that name none, and for those on types beyond the first hundred.
        pooled: whether these are those on types beyond the first hundred.
        rows: how many attempts.
        rating: how well they went, as those who made them saw it.
        min_harmlessness_score_transcript: the lowest score of each.
        task_description_harmlessness_score: the score of what each set out to do.
        tagged: how many have any tag.
        tags: {tag: how many attempts have it}, the most usual first; of the first thousand that came.
        more_tags: tags that attempts have besides.
    """

    model_type: str | None
    pooled: bool
    rows: int
    rating: Spread | None
    min_harmlessness_score_transcript: Spread | None
    task_description_harmlessness_score: Spread | None
    tagged: int
    tags: Mapping[str, int]
    more_tags: int


@attrs.frozen
class Stats:
    """What is in sources. Nothing in it depends on how they were read.

    A measure is ``"turns"`` (messages; a preamble is one), ``"characters"`` of what they say, or, where a tokenizer was named,
    ``"tokens"``. Rows are the same if their texts are, character for character; prompts, if their messages are. The prompt of
    a pair is what its sides share, that of another row what comes before its last answer; one without messages does not count.

    Attributes:
        rows: how many rows there are.
        kinds: {kind: rows of it}, as in `turnparse.Summary`.
        relations: {relation: pairs that have it}, likewise; nothing is mended before.
        diagnostics: {code: rows that carry it}, likewise.
        lengths: {measure: {part: how long it is}}: of pairs ``"prompt"``, ``"chosen"`` and ``"rejected"``, the answers, and
            ``"whole_chosen"`` and ``"whole_rejected"``, prompt and answer; of other rows ``"transcript"``.
        shared_prefix: {measure: how much of pairs their sides share}.
        length_bias: {measure: how long preferred answers are against the others}.
        parting: {turn, from 1, or ``"later"``: pairs whose sides part there}: one past the turns that they share. Identical
            and empty pairs part nowhere; later is past turn 32.
        duplicates: {``"rows"`` or ``"prompts"``: how many are the same}.
        sources: the sources, in their order.
        overlap: {``"rows"`` or ``"prompts"``: {split: {split: how many distinct ones stand in both}}}, of sources whose names
            tell their split; empty if there is only one split.
        red_team: attempts by the type of model: those on most first.
        failures: what is wrong with sources that could not be read to their end.
    """

    rows: RowCounts
    kinds: Mapping[str, int]
    relations: Mapping[str, int]
    diagnostics: Mapping[str, int]
    lengths: Mapping[str, Mapping[str, Spread]]
    shared_prefix: Mapping[str, SharedPrefix]
    length_bias: Mapping[str, LengthBias]
    parting: Mapping[str, int]
    duplicates: Mapping[str, Duplicates]
    sources: tuple[SourceCounts, ...]
    overlap: Mapping[str, Mapping[str, Mapping[str, int]]]
    red_team: tuple[ModelCounts, ...]
    failures: tuple[SourceError, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        found = attrs.asdict(attrs.evolve(self, failures=()))
        lists = {name: list(found[name]) for name in ("sources", "red_team")}
        return found | lists | {"failures": [str(failure) for failure in self.failures]}
