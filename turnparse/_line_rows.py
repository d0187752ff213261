"""The rows of a judged batch as lines of JSON: those finished by columns and those read one by one, in order again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa

from turnparse._arrow_rows import Place, kept_of_regular
from turnparse._batches import METADATA_TYPES, BatchConverter, Judged
from turnparse._buffers import Places
from turnparse._errors import RowError
from turnparse._job import PROVENANCE, Judgement, unread
from turnparse._json_lines import Lines, json_lines
from turnparse._json_values import dumped

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
    for index, judgement in zip(judged.written, judged.judgements, strict=True):
        try:
            lines[index] = dumped(_record(converter, judged, index, judgement, place))
        except (ValueError, RecursionError) as error:
            misfits[index] = _unwritable(error)
    regular = judged.regular.nonzero()[0]
    everywhere = np.arange(len(judged.batch))
    found = (
        json_lines(_columns(converter, judged, judged.columns, everywhere, place), judged.regular)
        if len(regular)
        else None
    )
    finished = {}
    if len(judged.again.rows):
        again = json_lines(_columns(converter, judged, judged.again.columns, judged.again.rows, place))
        finished = _by_row(again, judged.again.rows)
    if converter.job.keep_columns:
        if found is not None:
            finished |= _by_row(found, regular)
            found = None
        for index, line in finished.items():
            try:
                lines[index] = _with_more(bytes(line), converter, judged, index, place)
            except (ValueError, RecursionError) as error:
                misfits[index] = _unwritable(error)
    else:
        lines |= finished
    return judged.without(misfits), _merged(dict(sorted(lines.items())), regular, found)


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


def _record(
    converter: BatchConverter, judged: Judged, index: int, judgement: Judgement, place: Place
) -> dict[str, Any]:
    """Return a row that was read one by one as the target wants it, with what travels along, and where it was read."""
    job, item = converter.job, judgement.item
    if item is None:
        return {}
    record = job.target.record(item, job.side)
    kept = job.kept(judged.row(index), item) if job.keep_columns else {}
    origin = _origin(converter, index, place)
    return (
        record | _held({name: kept[name] for name in kept if name not in record and name not in origin}, place) | origin
    )


def _names(converter: BatchConverter, judged: Judged) -> list[str]:
    """Return the target's columns that are written of regular rows: with metadata if they are attempts."""
    kind, _ = converter.kind(judged.batch.schema.names)
    names = list(converter.job.target.columns)
    return [*names, *METADATA_TYPES][: len(judged.columns)] if kind == "red-team" else names


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
    line = None if place.lines is None else int(place.lines[index])
    return dict(zip(PROVENANCE, (place.source, line), strict=True))


def _columns(converter: BatchConverter, judged: Judged, columns: list[Any], rows: Places, place: Place) -> Any:
    """Return what is written of *rows* by *columns*: where columns travel along, only what comes before these."""
    names = _names(converter, judged)
    columns = columns[: len(names)]
    if converter.job.provenance and not converter.job.keep_columns:
        columns += place.columns(rows)
        names += PROVENANCE
    return pa.RecordBatch.from_arrays(columns, names=names)


def _with_more(line: bytes, converter: BatchConverter, judged: Judged, index: int, place: Place) -> bytes:
    """Return the *line* of a regular row with what travels along, and where the row was read.

    Raises:
        ValueError, RecursionError: if JSON cannot hold them.
    """
    kept = kept_of_regular(converter, judged, index)
    origin = _origin(converter, index, place)
    written = {*_names(converter, judged), *origin}
    more = _held({name: kept[name] for name in kept if name not in written}, place) | origin
    return line[:-2] + b"," + dumped(more)[1:] if more else line


def _unwritable(error: Exception) -> Judgement:
    reason = RowError(f"expected columns that can be written as JSON, found: {error}", code="wrong-type")
    return unread(reason)
