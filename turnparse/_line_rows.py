"""The rows of a judged batch as lines of JSON: those finished by columns and those read one by one, in order again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

import attrs
import numpy as np

from turnparse._arrow_rows import Place, Population, kept_of_regular, populations
from turnparse._batches import BatchConverter
from turnparse._buffers import Places
from turnparse._cell_columns import ArrayCells, Built, build
from turnparse._errors import RowError
from turnparse._job import PROVENANCE, Judgement, unread
from turnparse._json_lines import Lines, record_lines
from turnparse._json_values import dumped
from turnparse._judged import METADATA_TYPES, Judged
from turnparse._red_team import RedTeamAttempt

Line = bytes | memoryview


def line_rows(converter: BatchConverter, judged: Judged, place: Place) -> tuple[Judged, list[Line]]:
    """Return the rows that are written, in order, as runs of whole lines of JSON.

    Args:
        converter: what judged the rows.
        judged: the rows. One that JSON cannot hold is set aside.
        place: where they were read.

    Returns:
        The rows as they are judged then, and the lines.
    """
    lines: dict[int, Line] = {}
    misfits: dict[int, Judgement] = {}
    regular, found = judged.regular.nonzero()[0], None
    for population in populations(converter, judged, place):
        records = _records(converter, judged, population, place)
        if population.one_by_one or converter.job.keep_columns:
            for record in records:
                written = _by_row(record_lines([record], len(population.parts), population.places), population.rows)
                _add_with_more(written, lines, misfits, _More(converter, judged, population, [*record], place))
        elif population.parts is judged.parts:
            found = record_lines(records, len(population.parts), population.places)
        else:
            lines |= _by_row(record_lines(records, len(population.parts), population.places), population.rows)
    for index in misfits:
        lines.pop(index, None)
    return judged.without(misfits), _merged(dict(sorted(lines.items())), regular, found)


def _records(converter: BatchConverter, judged: Judged, population: Population, place: Place) -> list[dict[str, Built]]:
    """Return {column: what it holds} for each record of a row: what comes before what differs from row to row."""
    job, parts = converter.job, population.parts
    more: dict[str, Built] = {}
    kind, _ = converter.kind(judged.batch.schema.names)
    if kind == "red-team" and not population.one_by_one:
        more |= {name: ArrayCells(column) for name, column in zip(METADATA_TYPES, population.metadata, strict=False)}
    if job.provenance and not job.keep_columns and not population.one_by_one:
        order = np.zeros(len(parts), np.int64)
        order[population.places] = population.rows
        more |= {name: ArrayCells(column) for name, column in zip(PROVENANCE, place.columns(order), strict=True)}
    return [
        {name: build(cell, parts, population.writing) for name, cell in record.items()} | more
        for record in job.target.records
    ]


def _by_row(lines: Lines, rows: Places) -> dict[int, Line]:
    """Return *lines* as {row: line}."""
    return {
        index: lines.data[begin:end]
        for index, (begin, end) in zip(rows.tolist(), pairwise(lines.offsets.tolist()), strict=True)
    }


def _merged(lines: Mapping[int, Line], regular: Any, found: Lines | None) -> list[Line]:
    """Return *lines*, {row: line}, with those *found* of the *regular* rows between them."""
    if found is None:
        return list(lines.values())
    runs: list[Line] = []
    begin = 0
    ends = found.offsets[np.searchsorted(regular, np.array(list(lines), np.int64))]
    for end, line in zip(ends.tolist(), lines.values(), strict=True):
        runs += [found.data[begin:end], line]
        begin = end
    return [*runs, found.data[begin:]]


def _held(kept: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return *kept* if JSON can hold it.

    Raises:
        ValueError: if a number in it is too large. (What Parquet has as infinite, or as no number, is null in JSON.)
    """
    values = list(kept.values()) if place.lines is not None else []
    while values:
        value = values.pop()
        if isinstance(value, float) and not isfinite(value):
            raise ValueError("a number that 64 bits cannot hold")
        values += value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return kept


def _origin(converter: BatchConverter, index: int, place: Place) -> dict[str, Any]:
    """Return the columns that say where a row was read, if they are asked for."""
    if not converter.job.provenance:
        return {}
    return dict(zip(PROVENANCE, place.of(index), strict=True))


@attrs.frozen
class _More:
    """What is written of each row of a population besides the record, whose columns are *written*."""

    converter: BatchConverter
    judged: Judged
    population: Population
    written: list[str]
    place: Place

    def of(self, at: int, index: int) -> dict[str, Any]:
        """Return it for row *index* of the batch, which is row *at* of the population.

        Raises:
            ValueError: if JSON cannot hold it.
        """
        job = self.converter.job
        metadata: dict[str, Any] = {}
        if self.population.one_by_one:
            item = self.judged.items[at]
            if job.target.metadata and isinstance(item, RedTeamAttempt):
                metadata = item.metadata()
            kept = job.kept(self.judged.row(index), item) if job.keep_columns else {}
        else:
            kept = kept_of_regular(self.converter, self.judged, index)
        origin = _origin(self.converter, index, self.place)
        written = {*self.written, *metadata, *origin}
        return metadata | _held({name: kept[name] for name in kept if name not in written}, self.place) | origin


def _add_with_more(
    written: dict[int, Line], lines: dict[int, Line], misfits: dict[int, Judgement], more: _More
) -> None:
    """Add the lines *written* to *lines*, with *more* in each, or why that cannot be to *misfits*."""
    for at, (index, line) in enumerate(written.items()):
        try:
            added = more.of(at, index)
            whole = bytes(line[:-2]) + (b"," if more.written else b"") + dumped(added)[1:] if added else bytes(line)
        except (ValueError, RecursionError) as error:
            misfits[index] = _unwritable(error)
        else:
            lines[index] = bytes(lines.get(index, b"")) + whole


def _unwritable(error: Exception) -> Judgement:
    reason = RowError(f"expected columns that can be written as JSON, found: {error}", code="wrong-type")
    return unread(reason)
