"""From what was counted to what is told of it."""

from __future__ import annotations

from typing import Final

from turnparse._card_metadata import SPLITS, split_named
from turnparse._distinct import DistinctDigests, Overlaps
from turnparse._errors import SourceError
from turnparse._spreads import Spread
from turnparse._stats_figures import (
    Duplicates,
    LengthBias,
    ModelCounts,
    RowCounts,
    SharedPrefix,
    SourceCounts,
    Stats,
)
from turnparse._stats_tally import Counting, ModelTally, Tally
from turnparse._summary import Summary
from turnparse._urls import redacted

PARTS: Final = ("prompt", "chosen", "rejected", "whole_chosen", "whole_rejected", "transcript")
"""The parts of rows of which lengths are told."""


def told(
    paths: list[str], counts: list[Summary], total: Tally, counting: Counting, failures: tuple[SourceError, ...]
) -> Stats:
    """Return what is to be told of sources.

    Args:
        paths: the sources.
        counts: the counts of each.
        total: the counts of all.
        counting: what has counted them.
        failures: what is wrong with them.
    """
    all_rows = total.counts
    if total.counted + all_rows.rows_set_aside != all_rows.rows_in:
        msg = f"{all_rows.rows_in} rows were read, {total.counted} counted and {all_rows.rows_set_aside} not: please report it"
        raise RuntimeError(msg)
    splits = [split_named(path) for path in paths]
    named = [split for split in dict.fromkeys(SPLITS.values()) if split in splits]
    groups = [-1 if split is None else named.index(split) for split in splits]
    same = {
        name: digests.overlaps(len(paths), groups, len(named))
        for name, digests in (("rows", counting.rows), ("prompts", counting.prompts))
    }
    rows, prompts = same["rows"], same["prompts"]
    sources = [
        SourceCounts(redacted(path), split, count.rows_in, count.rows_set_aside, *map(int, figures))
        for path, split, count, *figures in zip(
            paths, splits, counts, rows.by_source, rows.elsewhere, prompts.by_source, prompts.elsewhere, strict=True
        )
    ]
    overlap = {
        name: {split: dict(zip(named, row, strict=True)) for split, row in zip(named, one.groups.tolist(), strict=True)}
        for name, one in same.items()
    }
    as_counted = all_rows.as_dict()
    lengths = {key: spread for key, found in total.lengths.items() if (spread := found.spread()) is not None}
    present = [name for name in counting.measures if any(measure == name for measure, _ in lengths)]
    with_pairs = [name for name in present if (name, "difference") in lengths]
    parting = {str(turn): total.parting[turn] for turn in sorted(total.parting) if turn}
    if total.parting[0]:
        parting["later"] = total.parting[0]
    return Stats(
        rows=RowCounts(all_rows.rows_in, total.counted, all_rows.rows_set_aside, all_rows.blank_lines),
        kinds=as_counted["kinds"],
        relations=as_counted["relations"],
        diagnostics=as_counted["diagnostics"],
        lengths={name: {part: lengths[name, part] for part in PARTS if (name, part) in lengths} for name in present},
        shared_prefix={name: _shared(name, lengths) for name in with_pairs},
        length_bias={name: _bias(name, total, lengths[name, "difference"]) for name in with_pairs},
        parting=parting,
        duplicates={
            name: _duplicates(digests, same[name])
            for name, digests in (("rows", counting.rows), ("prompts", counting.prompts))
        },
        sources=tuple(sources),
        overlap=overlap if len(named) > 1 else {},
        red_team=_models(total),
        failures=failures,
    )


def _shared(measure: str, lengths: dict[tuple[str, str], Spread]) -> SharedPrefix:
    prompt, *wholes = (lengths[measure, part].total for part in ("prompt", "whole_chosen", "whole_rejected"))
    return SharedPrefix(2 * prompt / sum(wholes) if any(wholes) else None, lengths.get((measure, "share")))


def _bias(measure: str, total: Tally, difference: Spread) -> LengthBias:
    chosen, equal, rejected = (total.longer[measure, name] for name in ("chosen", "equal", "rejected"))
    return LengthBias(chosen, equal, rejected, chosen / (chosen + equal + rejected), difference)


def _duplicates(digests: DistinctDigests, found: Overlaps) -> Duplicates:
    counted = digests.counts.total()
    return Duplicates(counted, found.distinct, counted - int(found.by_source.sum()), found.several)


def _models(total: Tally) -> tuple[ModelCounts, ...]:
    tallies = [(name, False, tally) for name, tally in total.models.items()]
    # Of equally many the name decides: the order in which rows came is told nowhere else.
    tallies.sort(key=lambda one: (-one[2].rows, one[0] or ""))
    if total.more_models.rows:
        tallies.append((None, True, total.more_models))
    return tuple(_model(*one) for one in tallies)


def _model(name: str | None, pooled: bool, tally: ModelTally) -> ModelCounts:  # noqa: FBT001  # as it is sorted
    tags = sorted(tally.tags.items(), key=lambda tag: (-tag[1], tag[0]))
    scores = {field: scores.spread() for field, scores in tally.scores.items()}
    return ModelCounts(
        name, pooled, tally.rows, **scores, tagged=tally.tagged, tags=dict(tags), more_tags=tally.more_tags
    )
