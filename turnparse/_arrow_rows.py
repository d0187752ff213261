"""The rows of a judged batch as Arrow batches: those finished by columns and those read one by one, in order again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._batches import BatchConverter
from turnparse._buffers import Places
from turnparse._cell_columns import array_of, build, type_of
from turnparse._cells import Writing
from turnparse._chunks import FirstRead
from turnparse._column_types import JSON_TEXT, arrow_type, column_of, fits, is_writable, type_of_values
from turnparse._errors import RowError, escape
from turnparse._job import Judgement, unread
from turnparse._judged import METADATA_TYPES, Judged
from turnparse._parts import Parts, ReadRows
from turnparse._red_team import RedTeamAttempt, wrong_type
from turnparse._table_sources import rows_of

ROWS_PER_SLICE: Final = 32
"""A batch that its odd rows cut into slices shorter than this is put in order by copying: slices have a cost each."""


@attrs.frozen
class Place:
    """Where the rows of a batch were read.

    Attributes:
        source: the file.
        lines: the 1-based line of each row, length rows; None if the source has no lines.
        first: of a source without lines, how many rows of it come before the batch.
        first_read: {row: where it was first read}, of rows that were set aside then.
    """

    source: str
    lines: Places | None
    first: int = 0
    first_read: Mapping[int, FirstRead] = attrs.field(factory=dict)

    def numbers(self, population: Population) -> Places:
        """Return the number of each of *population*'s parts in the source, from 0."""
        numbers = np.zeros(len(population.parts), np.int64)
        rows = population.rows
        numbers[population.places] = self.first + rows if self.lines is None else self.lines[rows] - 1
        if self.first_read:
            for at, index in zip(population.places.tolist(), rows.tolist(), strict=True):
                if (first := self.first_read.get(index)) is not None:
                    numbers[at] = first.row if first.line is None else first.line - 1
        return numbers

    def of(self, index: int) -> tuple[str | None, int | None]:
        """Return the source and the line of row *index*."""
        if (first := self.first_read.get(index)) is not None:
            return first.source, first.line
        return self.source, None if self.lines is None else int(self.lines[index])

    def columns(self, order: Places) -> list[Any]:
        """Return the columns that say where each of the rows *order* was read."""
        if self.first_read:
            sources, lines = zip(*map(self.of, order.tolist()), strict=True) if len(order) else ((), ())
            return [pa.array(sources, pa.string()), pa.array(lines, pa.int64())]
        sources = pa.array([self.source]).take(pa.array(np.zeros(len(order), np.int8)))
        return [sources, pa.nulls(len(order), pa.int64()) if self.lines is None else pa.array(self.lines[order])]


@attrs.frozen
class Layout:
    """The columns of rows in Arrow: the target's, metadata, what travels along, and where each row was read.

    Attributes:
        schema: the names and types of all of them, as a `pyarrow.Schema`.
        metadata: whether metadata of attempts is among them.
        kept: {column that travels along: its type, or `JSON_TEXT`}.
    """

    schema: Any
    metadata: bool
    kept: dict[str, Any]

    @classmethod
    def of(cls, converter: BatchConverter, kept: Mapping[str, Any], *, metadata: bool) -> Layout:
        """Return a layout with the columns *kept*, {name: type}, but for those that are written anyway.

        Args:
            converter: what converts the rows.
            kept: what travels along.
            metadata: whether there is metadata to be written.
        """
        job = converter.job
        fields = [(name, type_of(cell, job.loss)) for name, cell in job.target.columns.items()]
        fields += METADATA_TYPES.items() if metadata else []
        provenance = [("source", pa.string()), ("line", pa.int64())] if converter.job.provenance else []
        taken = {name for name, _ in (*fields, *provenance)}
        left = {name: kind for name, kind in kept.items() if name not in taken}
        columns = [(name, arrow_type(kind)) for name, kind in left.items()]
        return cls(pa.schema([*fields, *columns, *provenance]), metadata, left)

    @classmethod
    def of_columns(cls, converter: BatchConverter, schema: Any) -> Layout:
        """Return the layout of what is written of tables with *schema*."""
        back = converter.job.back
        read = set() if converter.is_mixed(schema.names) else converter.kind(schema.names)[1]
        read = read if back is None else set(back.target.columns)
        kept = {
            field.name: field.type if is_writable(field.type) else JSON_TEXT
            for field in schema
            if field.name not in read
        }
        keeps = kept if converter.job.keep_columns else {}
        return cls.of(converter, keeps, metadata=converter.has_metadata(schema.names))

    @classmethod
    def of_rows(cls, converter: BatchConverter, judged: Judged) -> Layout:
        """Return the layout that the rows of a batch ask for which came from JSON."""
        values: dict[str, list[Any]] = {}
        for kept in _kept(converter, judged, order_of(judged)):
            for name, value in kept.items():
                values.setdefault(name, []).append(value)
        metadata = converter.has_metadata(judged.batch.schema.names) or any(
            isinstance(item, RedTeamAttempt) for item in judged.items
        )
        return cls.of(
            converter,
            {name: type_of_values(found) for name, found in values.items()},
            metadata=metadata and converter.job.target.metadata,
        )

    def holds(self, other: Layout) -> bool:
        """Tell whether all rows of another layout fit this one, whatever their values."""
        return all(_holds(self.kept.get(name), kind) for name, kind in other.kept.items())


def _holds(kind: Any, other: Any) -> bool:
    """Tell whether a column of type *kind* holds all that one of type *other* does."""
    return kind is not None and (kind == other or (_is_text(kind) and _is_text(other)))


def _is_text(kind: Any) -> bool:
    if kind == JSON_TEXT:
        return False
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def arrow_rows(converter: BatchConverter, judged: Judged, layout: Layout, place: Place) -> tuple[Judged, list[Any]]:
    """Return the rows that are written, in order, as `pyarrow.RecordBatch`es of the layout's schema.

    Args:
        converter: what judged the rows.
        judged: the rows.
        layout: their columns. A row of JSON that does not fit them is set aside.
        place: where they were read.

    Returns:
        The rows as they are judged then, and the batches.
    """
    judged = judged.without(_misfits(converter, judged, layout))
    order = order_of(judged)
    if not len(order):
        return judged, []
    job = converter.job
    names = list(job.target.columns)
    schema = pa.schema([layout.schema.field(name) for name in (*names, *_metadata(layout))])
    # Each batch here is in order; which row of the whole each of theirs is, is what the last step needs.
    batches: list[Any] = []
    source = np.empty((len(job.target.records), len(judged.batch)), np.int64)
    begin = 0
    for population in populations(converter, judged, place):
        metadata = _metadata_of(converter, judged, population) if layout.metadata else []
        for number, record in enumerate(job.target.records):
            cells = [build(cell, population.parts, population.writing) for cell in record.values()]
            columns = [array_of(built, len(population.parts)) for built in cells]
            batches.append(pa.RecordBatch.from_arrays([*columns, *metadata], schema=schema))
            source[number, population.rows] = begin + population.places
            begin += len(population.parts)
    if len(job.target.records) > 1:
        # The records of a row come one behind the other.
        pieces = gathered(batches, source[:, order].T.ravel())
        order = np.repeat(order, len(job.target.records))
    else:
        pieces = batches if len(batches) == 1 and len(batches[0]) == len(order) else gathered(batches, source[0, order])
    more = _more_columns(converter, judged, layout, order, place)
    return judged, _widened(pieces, more, layout.schema) if more else pieces


@attrs.frozen
class Population:
    """Rows of a batch that are written, and that were read in one way.

    Attributes:
        rows: their places in the batch, ascending.
        parts: what they say, and maybe others.
        places: where each of *rows* is in *parts*, ascending.
        metadata: metadata of attempts; each as long as *parts*, or none.
        writing: what is still to be said of how their cells are made.
        one_by_one: whether they were read row by row.
    """

    rows: Places
    parts: Parts
    places: Places
    metadata: list[Any]
    writing: Writing
    one_by_one: bool = False


def populations(converter: BatchConverter, judged: Judged, place: Place) -> list[Population]:
    """Return the rows of *judged*, which were read at *place*, that are written, by the ways in which they were read."""
    found = []
    writing = converter.job.writing
    regular = judged.regular.nonzero()[0]
    if judged.parts is not None and len(regular):
        found.append(Population(regular, judged.parts, regular, judged.metadata, writing))
    if judged.again.parts is not None and len(judged.again.rows):
        metadata = [column.slice(0, len(judged.again.parts)) for column in judged.metadata]
        found.append(Population(judged.again.rows, judged.again.parts, judged.again.places, metadata, writing))
    if judged.items:
        parts = ReadRows(judged.items, converter.job.side)
        # A system prompt was added when they were judged.
        led = attrs.evolve(writing, system=None)
        found.append(Population(np.array(judged.written), parts, np.arange(len(parts)), [], led, one_by_one=True))
    if converter.job.target.counts_rows:
        found = [attrs.evolve(one, writing=attrs.evolve(one.writing, numbers=place.numbers(one))) for one in found]
    return found


def _metadata_of(converter: BatchConverter, judged: Judged, population: Population) -> list[Any]:
    """Return metadata columns for a population."""
    if population.one_by_one:
        rows: list[Mapping[str, Any]] = [
            item.metadata() if isinstance(item, RedTeamAttempt) else converter.job.kept(judged.row(index), item)
            for index, item in zip(judged.written, judged.items, strict=True)
        ]
    elif population.metadata:
        return population.metadata
    else:
        # Rows that are no attempts: what travels along under such a name, else null.
        rows = [{}] * len(population.parts)
        if judged.originals is not None and converter.job.keep_columns:
            for index, at in zip(population.rows.tolist(), population.places.tolist(), strict=True):
                rows[at] = judged.row(index)
    return [pa.array([row.get(name) for row in rows], kind) for name, kind in METADATA_TYPES.items()]


def _metadata(layout: Layout) -> Sequence[str]:
    return list(METADATA_TYPES) if layout.metadata else []


def order_of(judged: Judged) -> Places:
    """Return the rows that are written, ascending."""
    rows = judged.finished
    rows[judged.written] = True
    return rows.nonzero()[0]


def _kept(converter: BatchConverter, judged: Judged, order: Places) -> list[dict[str, Any]]:
    """Return, for each of the rows *order*, the columns that travel along."""
    if not converter.job.keep_columns or judged.originals is None:
        return [{} for _ in order]
    items = dict(zip(judged.written, judged.items, strict=True))
    return [
        converter.job.kept(judged.row(index), items[index])
        if index in items
        else kept_of_regular(converter, judged, index)
        for index in order.tolist()
    ]


def kept_of_regular(converter: BatchConverter, judged: Judged, index: int) -> dict[str, Any]:
    """Return the columns of a regular row that travel along; all rows of a batch that are regular are of one kind."""
    _, read = converter.kind(judged.batch.schema.names)
    return {name: value for name, value in judged.row(index).items() if name not in read}


def _misfits(converter: BatchConverter, judged: Judged, layout: Layout) -> dict[int, Judgement]:
    """Return {row: why} of the rows that the layout cannot hold."""
    misfits: dict[int, Judgement] = {}
    if converter.job.target.metadata and not layout.metadata:
        attempts = [
            index for index, item in zip(judged.written, judged.items, strict=True) if isinstance(item, RedTeamAttempt)
        ]
        if converter.has_metadata(judged.batch.schema.names):
            attempts = order_of(judged).tolist()
        misfits |= {index: _misfit("no metadata of attempts", "it") for index in attempts}
    types = layout.kept | (METADATA_TYPES if layout.metadata else {})
    if layout.metadata:
        for index, item in zip(judged.written, judged.items, strict=True):
            number = item.red_team_member_id if isinstance(item, RedTeamAttempt) else None
            if not fits(number, METADATA_TYPES["red_team_member_id"]):
                misfits[index] = unread(wrong_type("red_team_member_id", number, "a number of 64 bits"))
    if not converter.job.keep_columns or judged.originals is None:
        return misfits
    # To ask a schema for its names makes a list of them each time.
    names = frozenset(layout.schema.names)
    order = order_of(judged)
    for index, kept in zip(order.tolist(), _kept(converter, judged, order), strict=True):
        for name, value in kept.items():
            if name in names and name not in types:
                continue  # a clash, which is counted as one
            kind = types.get(name)
            if kind is None:
                misfits[index] = _misfit(f"no column {name}", "one")
            elif not fits(value, kind):
                misfits[index] = _misfit(f"{name} to be of type {kind}", "another type")
    return misfits


def _misfit(expected: str, found: str) -> Judgement:
    msg = f"expected {expected}, as in the first rows, found {found}; an output of JSON lines takes rows that differ"
    return unread(RowError(escape(msg, 300), code="column-mismatch"))


def _more_columns(converter: BatchConverter, judged: Judged, layout: Layout, order: Places, place: Place) -> list[Any]:
    """Return the columns beside the target's, of the rows *order*: what travels along, and where they were read."""
    columns: list[Any] = []
    if layout.kept and judged.originals is not None:
        kept = _kept(converter, judged, order)
        columns = [column_of([row.get(name) for row in kept], kind) for name, kind in layout.kept.items()]
    elif layout.kept:
        columns = _kept_columns(converter, judged, layout, order)
    if converter.job.provenance:
        columns += place.columns(order)
    return columns


def _kept_columns(converter: BatchConverter, judged: Judged, layout: Layout, rows: Places) -> list[Any]:
    """Return what travels along of *rows*, written or set aside, of a batch that was no JSON."""
    batch = judged.batch
    columns = []
    there = batch.select([name for name in layout.kept if name in batch.schema.names]).take(pa.array(rows))
    for name, kind in layout.kept.items():
        column = there.column(name) if name in there.schema.names else pa.nulls(len(rows), arrow_type(kind))
        if converter.is_mixed(batch.schema.names):
            column = _where_kept(converter, judged, name, rows, column)
        if kind == JSON_TEXT:
            found = rows_of(pa.RecordBatch.from_arrays([column], names=[name]))
            column = column_of([row[name] for row in found], kind)
        columns.append(column if column.type == arrow_type(kind) else column.cast(kind))
    return columns


def with_set_aside(
    converter: BatchConverter, judged: Judged, written: list[Any], layout: Layout, *, name: str, reasons: Any
) -> list[Any]:
    """Return all rows of a batch that was no JSON, in order: those that are written and those that are set aside.

    Args:
        converter: what judged the rows.
        judged: the rows, as `arrow_rows` returned them.
        written: their batches, likewise.
        layout: their columns. Of a row that is set aside only what travels along is there, all others are null.
        name: of one more column.
        reasons: what that holds of the rows that are set aside, a `pyarrow.Array`; of the others null.
    """
    schema = layout.schema.append(pa.field(name, reasons.type))
    pieces = [
        pa.RecordBatch.from_arrays([*piece.columns, pa.nulls(len(piece), reasons.type)], schema=schema)
        for piece in written
    ]
    if not len(reasons):
        return pieces
    rows = np.array([one.index for one in judged.refused], np.int64)
    kept = dict(zip(layout.kept, _kept_columns(converter, judged, layout, rows), strict=True))
    columns = [kept.get(field.name, pa.nulls(len(rows), field.type)) for field in layout.schema]
    pieces.append(pa.RecordBatch.from_arrays([*columns, reasons], schema=schema))
    order = np.repeat(order_of(judged), len(converter.job.target.records))
    return gathered(pieces, np.argsort(np.concatenate([order, rows]), kind="stable"))


def _where_kept(converter: BatchConverter, judged: Judged, name: str, order: Places, column: Any) -> Any:
    """Return *column* with null where the row read it: in a table of several kinds each kind reads its own columns."""
    items = {one.index: one.judgement.item for one in judged.refused}
    items |= dict(zip(judged.written, judged.items, strict=True))
    rows = zip(judged.batch.take(pa.array(order)).to_pylist(), order.tolist(), strict=True)
    kept = [name in converter.job.kept(row, items[index]) for row, index in rows]
    return pc.if_else(pa.array(kept, pa.bool_()), column, pa.nulls(len(column), column.type))


def _widened(pieces: list[Any], columns: list[Any], schema: Any) -> list[Any]:
    """Return *pieces* with more *columns*, each as long as all pieces together."""
    result, at = [], 0
    for piece in pieces:
        slices = [column.slice(at, len(piece)) for column in columns]
        at += len(piece)
        result.append(pa.RecordBatch.from_arrays([*piece.columns, *slices], schema=schema))
    return result


def gathered(batches: list[Any], source: Any) -> list[Any]:
    """Return the rows *source*, counted through *batches*, as record batches: as slices, or, if these are short, copied."""
    cuts = np.flatnonzero(np.diff(source) != 1) + 1
    edges = [0, *cuts.tolist(), len(source)]
    if ROWS_PER_SLICE * len(cuts) > len(source):
        table = pa.Table.from_batches(batches).combine_chunks().take(pa.array(source))
        return list(table.combine_chunks().to_batches())
    first = np.cumsum([0, *map(len, batches)])
    pieces = []
    for begin, end in pairwise(edges):
        at, left = int(source[begin]), end - begin
        # A run that goes on from one batch into the next is several slices.
        for number in range(int(np.searchsorted(first, at, side="right")) - 1, len(batches)):
            inside = min(left, int(first[number + 1]) - at)
            pieces.append(batches[number].slice(at - int(first[number]), inside))
            at, left = at + inside, left - inside
            if not left:
                break
    return pieces
