"""Reading a source row by row, as objects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs

from turnparse._chunks import Chunk, RawRow
from turnparse._dialect import DEFAULT, Dialect, resolve
from turnparse._errors import RowError, escape, require_callable
from turnparse._limits import Limits
from turnparse._model import Diagnostics, Origin, Pair, Transcript
from turnparse._parse import asked
from turnparse._red_team import RedTeamAttempt
from turnparse._rows import Columns, recognise
from turnparse._set_aside import as_first_read, decoded, has_entries
from turnparse._sources import Source, open_source


def read(
    source: str | os.PathLike[str],
    *,
    dialect: Dialect | str = DEFAULT,
    diagnostics: Diagnostics = "structural",
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    on_error: Callable[[RowError], object] | None = None,
    max_row_bytes: int | None = None,
    max_expansion: int | None = None,
) -> Iterator[Pair | RedTeamAttempt | Transcript]:
    """Yield the rows of a source one by one, each a `Pair`, a `RedTeamAttempt` or a `Transcript`.

    Each has its place in ``.source``, ``.line`` and ``.origin``.

    Args:
        source: the path of a file of JSON lines or of one JSON array, compressed with gzip or zstd or not, of Parquet or
            Arrow IPC; or ``-`` for standard input.
        dialect: as for `turnparse.parse`.
        diagnostics: as for `turnparse.parse`.
        chosen: the column of the preferred side, if not ``chosen``.
        rejected: the column of the other side, if not ``rejected``.
        transcript: the column of single dialogues, if not ``transcript``.
        on_error: called with the error of each row that cannot be read; then reading goes on. Without it the
            first such row raises.
        max_row_bytes: as for `turnparse.convert`.
        max_expansion: likewise.

    Raises:
        SourceError: if the source cannot be opened.
        DamagedError: if it proves damaged; the rows before have been yielded.
        FaultError: if a read fails, or the source is changed meanwhile: what was yielded may be wrong.
        RowError: if a row cannot be read, and there is no *on_error*.
        DialectError: if the dialect cannot be had.
        OptionError: if an option has an unknown value.
    """
    columns = Columns.named(chosen, rejected, transcript)
    require_callable(on_error, "on_error")
    # Options are checked at the call, not when the first row is asked for.
    limits = Limits.of(max_row_bytes, max_expansion)
    return _items(source, resolve(dialect), asked(diagnostics), columns, on_error, limits=limits)


def _items(
    source: str | os.PathLike[str],
    dialect: Dialect,
    diagnostics: Diagnostics,
    columns: Columns,
    on_error: Callable[[RowError], object] | None,
    *,
    limits: Limits,
) -> Iterator[Pair | RedTeamAttempt | Transcript]:
    with open_source(source, limits=limits) as opened:
        for row in raw_rows(opened, columns, limits):
            try:
                item = recognise(row.decoded(), columns, dialect, diagnostics, row.origin)
            except RowError as error:
                row.place(error, opened.name)
                if on_error is None:
                    raise
                on_error(error)
            else:
                yield item


@attrs.frozen
class Row:
    """A row of a source, not looked into yet.

    Attributes:
        source: the source's path.
        found: the row as it stands there, numbered through.
        raw: the row itself: another than *found* only if that is an entry of a set-aside file.
        decoded: what gives it as JSON has it, or raises a `RowError`.
    """

    source: str
    found: RawRow
    raw: RawRow
    decoded: Callable[[], dict[str, Any]]

    @property
    def origin(self) -> Origin:
        """Where it was read, first of all."""
        first = self.raw.first_read
        if first is None:
            return Origin(self.source, self.raw.line, self.raw.row)
        return Origin(first.source or "", first.line, first.row)

    def place(self, error: RowError, name: str) -> None:
        """Write into *error* where the row stands, in a source of that *name*."""
        origin = self.origin
        error.source = name if self.raw.first_read is None else escape(origin.source, 300)
        error.row, error.line, error.raw = origin.row, origin.line, self.raw.data


def raw_rows(source: Source, columns: Columns, limits: Limits, *, every: bool = False) -> Iterator[Row]:
    """Yield the rows of *source* in order.

    Args:
        source: the source.
        columns: where the texts are.
        limits: how long a row may be.
        every: whether no key of a row may stand twice, rather than none that is read.

    Raises:
        SourceError: if it cannot be read to its end.
    """
    if source.table is None:
        for found in source.rows:
            yield _json_row(source, found, columns, every=every)
        return
    from turnparse._table_sources import chunk_of, raw_row, read_batches, rows_of

    number = 0
    for batch in read_batches(source.table, source.name, limits=limits):
        if isinstance(batch, Chunk) or has_entries(batch.schema.names, columns):
            chunk = batch if isinstance(batch, Chunk) else chunk_of(batch)
            for found in chunk.rows()[0]:
                yield _json_row(source, attrs.evolve(found, row=number), columns, every=every)
                number += 1
            continue
        for row in rows_of(batch):
            raw = raw_row(row, number)
            yield Row(source.path, raw, raw, partial(dict, row))
            number += 1


def _json_row(source: Source, found: RawRow, columns: Columns, *, every: bool) -> Row:
    raw = as_first_read(found, columns)
    return Row(source.path, found, raw, partial(decoded, raw, columns, every=every))
