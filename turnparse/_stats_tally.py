"""Counting what `turnparse.stats` tells of, a piece of a source at a time, on columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._arrow_rows import Place, populations
from turnparse._batches import BatchConverter
from turnparse._buffers import Mask, Places
from turnparse._chunk_columns import ChunkReader
from turnparse._columns import ASSISTANT
from turnparse._distinct import DistinctDigests
from turnparse._distributions import Distribution
from turnparse._errors import DamagedError, escape
from turnparse._judged import METADATA_TYPES, Judged
from turnparse._limits import Limits
from turnparse._message_columns import MessageColumn
from turnparse._model import Pair
from turnparse._pair_columns import RELATIONS, SecondPairs
from turnparse._parts import Parts, ReadRows
from turnparse._pieces import Stretch, stretches
from turnparse._red_team import RedTeamAttempt
from turnparse._row_digests import prompt_digests, row_digests
from turnparse._summary import Summary
from turnparse._target import Kind, kind_of
from turnparse._tokenizers import Counter as TokenCounter

SCORES: Final = ("rating", "min_harmlessness_score_transcript", "task_description_harmlessness_score")
"""The numbers that attempts carry."""

MOST_MODELS: Final = 100
"""Types of models that are told apart; rows of more are counted together."""

MOST_TAGS: Final = 1_000
"""Tags of a type of models that are told apart, likewise."""

LONGEST_NAME: Final = 60
"""Characters of a type of models, or a tag, that are kept."""

LATEST_PARTING: Final = 32
"""The last turn at which sides may part that is counted by itself."""

TEXTS_AT_ONCE: Final = 1_000
"""Texts that a tokenizer is given at a time."""

NO_PARTING: Final = ("identical", "empty")
"""The relations of sides that do not part."""

Measure = Callable[[Any], Places]
"""Returns how long each of the texts in a `pyarrow.Array` of strings is."""


def measures(count: TokenCounter | None) -> dict[str, Measure]:
    """Return {name: measure}, with tokens if there is what counts them."""
    found: dict[str, Measure] = {
        "turns": lambda contents: np.ones(len(contents), np.int64),
        "characters": lambda contents: pc.utf8_length(contents).to_numpy(zero_copy_only=False).astype(np.int64),
    }
    if count is not None:
        found["tokens"] = partial(_tokens, count)
    return found


def _tokens(count: TokenCounter, contents: Any) -> Places:
    slices = (contents.slice(at, TEXTS_AT_ONCE) for at in range(0, len(contents), TEXTS_AT_ONCE))
    return np.array([length for some in slices for length in count(some.to_pylist())], np.int64)


@attrs.frozen
class Group:
    """Rows of one kind that were read in one way.

    Attributes:
        kind: their kind.
        parts: what they say, and maybe others.
        places: where each of them is in *parts*.
        parted: of pairs, whether the sides of each part; length *places*.
        metadata: of attempts, {field: its values}; each of length *places*.
    """

    kind: Kind
    parts: Parts
    places: Places
    parted: Mask
    metadata: Mapping[str, Any]


def groups(converter: BatchConverter, judged: Judged) -> Iterator[Group]:
    """Yield the rows of *judged* that could be read, by kinds and by the ways in which they were."""
    kind, _ = converter.kind(judged.batch.schema.names)
    for population in populations(converter, judged, Place("", None)):
        if population.one_by_one:
            yield from _read_one_by_one(judged, converter)
        elif kind is not None:
            places = population.places
            parted = np.ones(len(places), np.bool_)
            if isinstance(population.parts, SecondPairs):
                unparted = [at for at, name in enumerate(RELATIONS) if name in NO_PARTING]
                parted = ~np.isin(judged.again.relation, unparted)
            metadata = {}
            if kind == "red-team":
                columns = zip(METADATA_TYPES, population.metadata, strict=True)
                metadata = {name: column.take(pa.array(places)) for name, column in columns}
            yield Group(kind, population.parts, places, parted, metadata)


def _read_one_by_one(judged: Judged, converter: BatchConverter) -> Iterator[Group]:
    by_kind: dict[Kind, list[Any]] = {}
    for item in judged.items:
        by_kind.setdefault(kind_of(item), []).append(item)
    for kind, items in by_kind.items():
        metadata: dict[str, Any] = {}
        if kind == "red-team":
            rows = [item.metadata() for item in items if isinstance(item, RedTeamAttempt)]
            metadata = {
                name: pa.array([row[name] for row in rows], METADATA_TYPES[name])
                for name in (*SCORES, "model_type", "tags")
            }
        parted = np.array([not isinstance(item, Pair) or item.relation not in NO_PARTING for item in items], np.bool_)
        yield Group(kind, ReadRows(items, converter.job.side), np.arange(len(items)), parted, metadata)


@attrs.define
class ModelTally:
    """What is counted of the attempts on a type of models.

    Attributes:
        rows: how many there are.
        scores: {one of `SCORES`: its values}.
        tagged: how many have any tag.
        tags: {tag: how many have it}.
        more_tags: tags of them that are not told apart.
    """

    rows: int = 0
    scores: dict[str, Distribution] = attrs.field(factory=lambda: {name: Distribution() for name in SCORES})
    tagged: int = 0
    tags: Counter[str] = attrs.field(factory=Counter)
    more_tags: int = 0

    def take(self, metadata: Mapping[str, Any]) -> None:
        """Count attempts."""
        self.rows += len(metadata["tags"])
        for name, distribution in self.scores.items():
            distribution.take(metadata[name].drop_null().to_numpy())
        lists = metadata["tags"]
        tags = pc.list_flatten(lists)
        self.tagged += int(np.count_nonzero(pc.list_value_length(lists).fill_null(0).to_numpy()))
        if not len(tags):
            return
        encoded = tags.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy()
        # A tag that an attempt has twice counts once.
        once = np.unique(pc.list_parent_indices(lists).to_numpy().astype(np.int64) * len(names) + codes)
        counts = np.bincount(once % len(names), minlength=len(names)).tolist()
        self._take_tags(zip((escape(name, LONGEST_NAME) for name in names), counts, strict=True))

    def _take_tags(self, counts: Iterator[tuple[str, int]]) -> None:
        for name, count in counts:
            if name in self.tags or len(self.tags) < MOST_TAGS:
                self.tags[name] += count
            else:
                self.more_tags += count

    def add(self, other: ModelTally) -> None:
        """Add the counts of what comes after."""
        self.rows += other.rows
        for name, distribution in self.scores.items():
            distribution.add(other.scores[name])
        self.tagged += other.tagged
        self._take_tags(iter(other.tags.items()))
        self.more_tags += other.more_tags


@attrs.define
class Tally:
    """The counts of a source, or of several.

    Attributes:
        counts: as those of a conversion.
        counted: the rows of which all else tells.
        lengths: {measure, part: how long the rows' parts are}; a part is one of those of `turnparse.Stats`, or ``difference``,
            or ``share``, of what both sides of a pair are that they share.
        longer: {measure, which side of a pair is the longer, or ``equal``: how many pairs}.
        parting: {turn: how many pairs part there}, with 0 for those that part later than `LATEST_PARTING`.
        models: {type of models, None if there is none: the attempts on them}.
        more_models: the attempts on types that are not told apart.
    """

    counts: Summary = attrs.field(factory=Summary)
    counted: int = 0
    lengths: dict[tuple[str, str], Distribution] = attrs.field(factory=dict)
    longer: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    parting: Counter[int] = attrs.field(factory=Counter)
    models: dict[str | None, ModelTally] = attrs.field(factory=dict)
    more_models: ModelTally = attrs.field(factory=ModelTally)

    def take_lengths(self, group: Group, by: Mapping[str, Measure]) -> None:
        """Count how long the parts of *group* are, *by* each measure."""
        if group.kind != "pair":
            whole = group.parts.part("conversation")
            for name, measure in by.items():
                self._distribution(name, "transcript").take(_lengths(whole, group.places, measure))
            return
        parts = [group.parts.part(part) for part in ("shared", "chosen", "rejected")]
        for name, measure in by.items():
            prompt, chosen, rejected = (_lengths(part, group.places, measure) for part in parts)
            found = {
                "prompt": prompt, "chosen": chosen, "rejected": rejected, "whole_chosen": prompt + chosen,
                "whole_rejected": prompt + rejected, "difference": chosen - rejected,
            }  # fmt: skip
            for part, lengths in found.items():
                self._distribution(name, part).take(lengths)
            both = 2 * prompt + chosen + rejected
            some = both > 0
            self._distribution(name, "share").take(2 * prompt[some] / both[some])
            for side, longer in (("chosen", chosen > rejected), ("equal", chosen == rejected), ("rejected", chosen < rejected)):  # fmt: skip
                self.longer[name, side] += int(np.count_nonzero(longer))
        at = parts[0].counts.take(group.places)[group.parted] + 1
        at[at > LATEST_PARTING] = 0
        turns, counts = np.unique(at, return_counts=True)
        self.parting.update(dict(zip(turns.tolist(), counts.tolist(), strict=True)))

    def _distribution(self, measure: str, part: str) -> Distribution:
        return self.lengths.setdefault((measure, part), Distribution())

    def take_attempts(self, metadata: Mapping[str, Any]) -> None:
        """Count attempts by the type of model."""
        encoded = metadata["model_type"].dictionary_encode()
        tallies = [self._model(escape(name, LONGEST_NAME)) for name in encoded.dictionary.to_pylist()]
        # What is null comes last.
        codes = encoded.indices.fill_null(len(tallies)).to_numpy()
        if len(tallies) in codes:
            tallies.append(self.models.setdefault(None, ModelTally()))
        distinct = list({id(tally): tally for tally in tallies}.values())
        numbers = {id(tally): number for number, tally in enumerate(distinct)}
        owners = np.array([numbers[id(tally)] for tally in tallies], np.int64).take(codes)
        for number, tally in enumerate(distinct):
            rows = pa.array((owners == number).nonzero()[0])
            tally.take({name: metadata[name].take(rows) for name in (*SCORES, "tags")})

    def _model(self, name: str) -> ModelTally:
        if name not in self.models and len(self.models) >= MOST_MODELS:
            return self.more_models
        return self.models.setdefault(name, ModelTally())

    def add(self, other: Tally) -> None:
        """Add the counts of what comes after."""
        self.counts.add(other.counts)
        self.counted += other.counted
        for (measure, part), lengths in other.lengths.items():
            self._distribution(measure, part).add(lengths)
        self.longer.update(other.longer)
        self.parting.update(other.parting)
        for name, tally in other.models.items():
            (self.models.setdefault(None, ModelTally()) if name is None else self._model(name)).add(tally)
        self.more_models.add(other.more_models)


def _lengths(messages: MessageColumn, rows: Places, measure: Measure) -> Places:
    """Return how long the messages of each of *rows* are together."""
    reached = np.append(0, np.cumsum(measure(messages.contents)))
    lengths: npt.NDArray[np.int64] = reached.take(messages.offsets[1:].take(rows)) - reached.take(
        messages.offsets[:-1].take(rows)
    )
    return lengths


@attrs.frozen
class Counting:
    """How sources are counted.

    Attributes:
        converter: what judges the rows.
        reader: what makes columns of them.
        limits: what a source may ask for.
        measures: {name: measure} of lengths.
        rows: where the digests of rows go.
        prompts: where those of prompts go.
    """

    converter: BatchConverter
    reader: ChunkReader
    limits: Limits
    measures: Mapping[str, Measure]
    rows: DistinctDigests
    prompts: DistinctDigests

    def forget(self, source: int) -> None:
        """Let go of the digests of a source."""
        self.rows.forget(source)
        self.prompts.forget(source)

    def through(self, path: str, source: int, tally: Tally, on_bytes: Callable[[int], object] | None = None) -> None:
        """Count the rows of the source at *path*, of that number, in *tally*; *on_bytes* is called as they are read.

        Raises:
            SourceError: if it cannot be read to its end; what was sound before has been counted.
            OutputError: if digests cannot be written to disk.
        """
        try:
            for stretch in stretches(path, self.reader, self.limits, on_bytes):
                self._take(stretch, source, tally)
        except DamagedError:
            # Nobody knows how many rows the rest is.
            if tally.counts.rows_in:
                rest = Summary(rows_in=1, rows_set_aside=1)
                rest.diagnostics["source-damaged"] = 1
                tally.counts.add(rest)
            raise

    def _take(self, stretch: Stretch, source: int, tally: Tally) -> None:
        """Count the rows of a *stretch* of the source of that number."""
        judged = self.converter.judge(stretch.read.batch, stretch.read.originals)
        for group in groups(self.converter, judged):
            tally.counted += len(group.places)
            tally.take_lengths(group, self.measures)
            if group.kind == "red-team":
                tally.take_attempts(group.metadata)
            self.rows.add(source, row_digests(group.parts.texts, group.places))
            self.prompts.add(source, _prompts(group))
        counts = judged.settled(records=1)
        counts.blank_lines = stretch.read.blank_lines
        tally.counts.add(counts)


def _prompts(group: Group) -> bytes:
    """Return the digests of the prompts of *group*: of what the sides of a pair share, or comes before the last answer."""
    messages = group.parts.part("shared" if group.kind == "pair" else "conversation")
    firsts = messages.offsets[:-1].take(group.places).astype(np.int64)
    counts = messages.counts.take(group.places)
    if group.kind != "pair" and len(messages.roles):
        last = messages.roles.take(firsts + counts - 1, mode="clip")
        counts -= (counts > 0) & (last == ASSISTANT)
    return prompt_digests(messages, firsts, counts)
