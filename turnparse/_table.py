"""Converting Arrow tables: a pure function, for those who bring their own files or engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs
import orjson
import pyarrow as pa

from turnparse._arrow_rows import Layout, Place, arrow_rows
from turnparse._batches import BatchConverter, warn_if_slow
from turnparse._contents import is_text
from turnparse._dialect import DEFAULT, Dialect
from turnparse._errors import ArgumentError, escape
from turnparse._job import Job
from turnparse._json_values import as_json
from turnparse._judged import Judged
from turnparse._model import Diagnostics
from turnparse._near_labels import NearMisses
from turnparse._summary import Summary
from turnparse._table_sources import plain_column, rows_of
from turnparse._target import Target

BATCH_BYTES: Final = 1 << 25
"""Bytes of a table that are converted at a time: enough to make calls cheap, few enough to stay in cache and memory."""

SET_ASIDE: Final = pa.schema(
    [
        ("source", pa.string()),
        ("line", pa.int64()),
        ("row", pa.int64()),
        ("codes", pa.list_(pa.string())),
        ("message", pa.string()),
        ("raw", pa.string()),
    ]
)
"""The columns of rows set aside: those of the set-aside file."""


@attrs.frozen
class TableResult:
    """What a table became.

    Attributes:
        rows: the rows written, as a `pyarrow.Table` of the target's columns, in aligned chunks.
        set_aside: the rows that were not, as a `pyarrow.Table` with the columns of the set-aside file; source and
            line are null, row is the row of the table, raw the row as JSON.
        summary: the counts.
        regular: how many rows the columns reader finished; the others were read one by one.
    """

    rows: Any
    set_aside: Any
    summary: Summary
    regular: int


def convert_table(
    table: Any,
    to: str | Target = "trl",
    preset: str = "default",
    *,
    policies: Mapping[str, str] | None = None,
    dialect: Dialect | str = DEFAULT,
    diagnostics: Diagnostics = "structural",
    side: str = "chosen",
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    from_: str | Target | None = None,
    system: str | None = None,
    loss: str | None = None,
    keep_columns: bool = False,
) -> TableResult:
    """Convert an Arrow table to the format of one consumer; every row is in the result, written or set aside.

    Args:
        table: a `pyarrow.Table` or `pyarrow.RecordBatch`, or anything else that speaks the Arrow C data interface,
            as tables of Polars, DuckDB and pandas do. Its columns of text may be string, large_string, string_view
            or dictionaries of these, sliced, chunked, and with nulls.
        to: as for `turnparse.convert`.
        preset: likewise.
        policies: likewise.
        dialect: likewise. A flat one is read by columns; one of another shape row by row, with a warning.
        diagnostics: likewise; with ``"all"`` every row is read one by one.
        side: likewise.
        chosen: likewise.
        rejected: likewise.
        transcript: likewise.
        from_: likewise.
        system: likewise.
        loss: likewise.
        keep_columns: likewise.

    Raises:
        ArgumentError: if *table* is no such thing, or an option is of the wrong type.
        OptionError: if an option has an unknown value.
        DialectError: if the dialect cannot be had.
    """
    job = Job.of(
        to=to, preset=preset, policies=policies, dialect=dialect, diagnostics=diagnostics, side=side, chosen=chosen,
        rejected=rejected, transcript=transcript, keep_columns=keep_columns, system=system, loss=loss, from_=from_,
    )  # fmt: skip
    converter = BatchConverter(job)
    warn_if_slow(converter)
    with told_if_invalid():
        return converted(converter, plain_table(table))


@contextmanager
def told_if_invalid() -> Iterator[None]:
    """Tell of data that Arrow finds invalid as the caller's mistake.

    Raises:
        ArgumentError: in place of `pyarrow.ArrowInvalid`.
    """
    try:
        yield
    except pa.ArrowInvalid as error:
        raise ArgumentError(f"expected a valid Arrow table, found: {escape(str(error), 200)}") from None


def plain_table(table: Any) -> Any:
    """Return *table* as a `pyarrow.Table` of types that Arrow's functions know.

    Raises:
        ArgumentError: if it is no table, or has two columns of one name.
        pyarrow.ArrowInvalid: if it is not valid, but for texts of the columns that `pieces` checks batch by batch.
    """
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    elif not isinstance(table, pa.Table):
        try:
            table = pa.table(table)
        except (TypeError, ValueError, pa.ArrowException) as error:
            msg = f"expected an Arrow table, found {type(table).__name__}: {escape(str(error), 200)}"
            raise ArgumentError(msg) from None
    if len(set(table.schema.names)) < len(table.schema.names):
        raise ArgumentError("expected an Arrow table with a name of its own for each column, found one twice")
    table.validate()
    for field, column in zip(table.schema, table.columns, strict=True):
        if not is_text(field.type):
            column.validate(full=True)
    for index, field in enumerate(table.schema):
        column = table.column(index)
        plain = plain_column(column)
        if plain is not column:
            table = table.set_column(index, field.name, plain)
    return table


def _check(batch: Any, converter: BatchConverter) -> None:
    """Look through the texts of *batch*, while they are on their way through the cache anyway.

    Nearly all of a rejected side is the bytes of the chosen one; what is not, the converter looks through.

    Raises:
        pyarrow.ArrowInvalid: if one is not valid.
    """
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if is_text(field.type) and not converter.checks(field.name, batch):
            column.validate(full=True)


@attrs.frozen
class Piece:
    """A batch of a table, converted.

    Attributes:
        judged: its rows.
        rows: those that are written, as `pyarrow.RecordBatch`es.
        done: how many rows of the table come before it.
    """

    judged: Judged
    rows: list[Any]
    done: int

    def refused(self) -> list[dict[str, Any]]:
        """Return the records of the rows that are set aside."""
        refused = self.judged.refused
        if not refused:
            return []
        raw = rows_of(self.judged.batch.take(pa.array([one.index for one in refused])))
        return [
            {
                "row": self.done + one.index,
                "codes": one.judgement.codes,
                "message": one.judgement.message,
                "raw": orjson.dumps(row, default=as_json).decode(),
            }
            for one, row in zip(refused, raw, strict=True)
        ]


def pieces(converter: BatchConverter, table: Any, layout: Layout) -> Iterator[Piece]:
    """Yield what the batches of a `plain_table` become, as rows of *layout*."""
    done = 0
    rows_at_once = max(1, BATCH_BYTES * len(table) // max(1, table.nbytes))
    for batch in table.to_batches(max_chunksize=rows_at_once):
        _check(batch, converter)
        judged, rows = arrow_rows(converter, converter.judge(batch, check=True), layout, Place("", None, done))
        yield Piece(judged, rows, done)
        done += len(batch)


def converted(converter: BatchConverter, table: Any) -> TableResult:
    """Return what a `plain_table` becomes."""
    rows: list[Any] = []
    refused: list[dict[str, Any]] = []
    summary = Summary()
    near = NearMisses()
    regular = 0
    layout = Layout.of_columns(converter, table.schema)
    for piece in pieces(converter, table, layout):
        rows += piece.rows
        refused += piece.refused()
        summary.add(piece.judged.settled(len(converter.job.target.records)))
        near.take(piece.judged.near)
        regular += int(piece.judged.finished.sum())
    summary.near_labels = converter.hint(summary, near)
    written = pa.Table.from_batches(rows, schema=layout.schema)
    return TableResult(written, pa.Table.from_pylist(refused, schema=SET_ASIDE), summary, regular)
