"""From a chunk of JSON rows to columns of texts: at once where nothing is odd, else row by row.

A clean chunk goes to Arrow's JSON reader, which makes no object for a row. It is lenient where `decode` is strict, so
its result counts only when the checks here leave no room for a difference; a chunk that fails any of them is
decoded line by line, and every verdict on a row is then `decode`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from turnparse._buffers import Bytes, Literals, Mask, Places
from turnparse._chunks import Chunk, FirstRead, RawRow
from turnparse._errors import RowError
from turnparse._job import Job
from turnparse._judged import METADATA_TYPES, Original, Originals
from turnparse._red_team import KEYS, MISSPELT, TRANSCRIPT
from turnparse._set_aside import as_first_read, decoded
from turnparse._table_sources import raw_row, row_of, rows_of

MOST_BRACKETS: Final = 900
"""Opening brackets that a line of a clean chunk may have at most. `decode` refuses what is nested a thousand levels deep,
Arrow does not; a line with fewer brackets cannot be nested so deep."""

LARGEST: Final = (1 << 31) - (1 << 16)
"""Bytes of a chunk that Arrow's JSON reader takes at most: it counts them in 32 bits."""

NO_NUMBERS: Final = Literals([b"NaN", b"Inf"])
"""What a value begins with that JSON does not have."""

NO_NUMBER: Final = re.compile(rb"(?<=[:,\[\s-])(?:NaN|Inf(?:inity)?)(?=[\s,}\]])")
"""Such a value, whole. Where a string has it, it does no harm; but many have words that begin like one."""

LINE_FEED, RETURN, OPEN, CLOSE, OPEN_LIST = b"\n\r{}["

BLOCK: Final = 1 << 16
"""Bytes looked at together where what is found is only counted: they stay in a core's own cache."""


@attrs.frozen
class ChunkColumns:
    """The rows of a chunk as columns.

    Attributes:
        batch: the columns of texts that are read, and metadata; a `pyarrow.RecordBatch`, length rows.
        lines: the 1-based line of each row, length rows, 0 where it has none; of a table, which has none, empty.
        raw: the rows as they stand in the source, or where they stand in the chunk's data.
        originals: the rows as JSON has them, made when asked for; None of a table, whose batch holds them all. Where they
            were decoded one by one, the batch holds null in place of a row of another kind than most.
        blank_lines: how many lines of white space only there were.
    """

    batch: Any
    lines: Places
    raw: Sequence[RawRow] | _Lines | _TableRows
    originals: Originals | None = None
    blank_lines: int = 0

    @property
    def first_read(self) -> dict[int, FirstRead]:
        """{row: where it was first read}, of rows that were set aside then."""
        rows = self.raw if isinstance(self.raw, list) else []
        return {index: row.first_read for index, row in enumerate(rows) if row.first_read is not None}


@attrs.frozen
class _Lines:
    """The lines of a clean chunk, as raw rows that are cut out only when asked for."""

    data: bytes
    begins: Places
    ends: Places
    first: int

    def __getitem__(self, index: int) -> RawRow:
        line = self.data[self.begins[index] : self.ends[index]]
        return RawRow(line.removesuffix(b"\r"), self.first + index, index)


@attrs.frozen
class _Decoded:
    """Raw rows as JSON has them, each decoded only when asked for: a verdict never hangs on a row's neighbours."""

    raw: Sequence[RawRow] | _Lines
    job: Job

    def __getitem__(self, index: int) -> Original:
        return _decoded(self.raw[index], self.job)


@attrs.frozen
class _TableRows:
    """The rows of a batch as raw rows: each as JSON, made only when asked for."""

    batch: Any

    def __getitem__(self, index: int) -> RawRow:
        return raw_row(row_of(self.batch, index), index)


def columns_of(batch: Any, *, decoded: bool) -> ChunkColumns:
    """Return a batch that was read as one; *decoded* if its rows are also needed as JSON has them."""
    originals = rows_of(batch) if decoded else None
    return ChunkColumns(batch, np.empty(0, np.int64), _TableRows(batch), originals)


class ChunkReader:
    """Makes columns of chunks for one run.

    Args:
        job: what is done with each row.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def read(self, chunk: Chunk) -> ChunkColumns:
        """Return the rows of *chunk* as columns."""
        return self._at_once(chunk) or self._one_by_one(chunk)

    @cached_property
    def _schema(self) -> Any:
        """The columns that Arrow's reader looks for; None if the names of texts and metadata are no use to it."""
        columns = self.job.columns
        names = (columns.chosen, columns.rejected, columns.transcript, columns.text)
        if not KEYS.isdisjoint(names) or len(set(names)) < len(names) or not all(map(_is_utf8, names)):
            return None
        metadata = METADATA_TYPES | {wrong: METADATA_TYPES[right] for wrong, right in MISSPELT.items()}
        return pa.schema([(name, pa.string()) for name in names] + list(metadata.items()))

    def _at_once(self, chunk: Chunk) -> ChunkColumns | None:
        """Return the rows of a clean chunk; None if it is not clean, or what travels along must be seen row by row."""
        if (
            self.job.keep_columns
            or self.job.back is not None
            or self._schema is None
            or len(chunk.data) > LARGEST
            or chunk.data.endswith(b"\r")
        ):
            return None
        data = chunk.data if chunk.data.endswith(b"\n") else chunk.data + b"\n"
        ends = _object_ends(data)
        if ends is None or (chunk.elements is not None and len(ends) != len(chunk.elements)):
            return None
        table = self._parsed(data)
        if table is None or len(table) != len(ends):
            return None
        names = self._names(table, data)
        if names is None:
            return None
        batch = table.select(names).combine_chunks().to_batches()[0]
        if chunk.elements is not None:
            numbers = np.array([row.line for row in chunk.elements], np.int64)
            return ChunkColumns(batch, numbers, chunk.elements, _Decoded(chunk.elements, self.job))
        begins = np.append(0, ends[:-1] + 1)
        lines = chunk.line + np.arange(len(ends), dtype=np.int64)
        raw = _Lines(data, begins, ends, chunk.line)
        return ChunkColumns(batch, lines, raw, _Decoded(raw, self.job))

    def _parsed(self, data: bytes) -> Any:
        try:
            return pj.read_json(
                pa.BufferReader(data),
                read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=pj.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="ignore"),
            )
        except (pa.ArrowException, ValueError):
            return None

    def _names(self, table: Any, data: bytes) -> list[str] | None:
        """Return the columns of the one kind that all rows are of; None if they may be of several."""
        columns = self.job.columns
        filled = {name for name in table.schema.names if table.column(name).null_count == 0}
        blank = {name for name in table.schema.names if table.column(name).null_count == len(table)}
        pair = {columns.chosen, columns.rejected}
        if pair <= filled:
            return [columns.chosen, columns.rejected]
        if pair.isdisjoint(blank):
            return None
        if columns.transcript in filled:
            if columns.transcript != TRANSCRIPT:
                # Whether such rows are attempts hangs on keys, not values: a null is not the same as nothing.
                signs = (b"\\u", *(f'"{key}"'.encode() for key in KEYS))
                return None if any(sign in data for sign in signs) else [columns.transcript]
            metadata = [name for name in table.schema.names if name in KEYS]
            return [TRANSCRIPT, *metadata] if all(_is_plain(table.column(name)) for name in metadata) else None
        if columns.text in filled and columns.transcript in blank:
            return [columns.text]
        return None

    def _one_by_one(self, chunk: Chunk) -> ChunkColumns:
        """Return the rows of any chunk, each decoded by itself."""
        found, blank = chunk.rows()
        rows = [as_first_read(row, self.job.columns) for row in found]
        originals = [_decoded(row, self.job) for row in rows]
        columns = self.job.columns
        kinds: list[tuple[str, ...]] = [(columns.chosen, columns.rejected)]
        if not self.job.target.metadata:
            kinds.append((columns.transcript,))
        kinds.append((columns.text,))
        # JSON in UTF-8 has no other names.
        kinds = [kind for kind in kinds if all(map(_is_utf8, kind))]
        of_kind = [_names_read(self.job, original) for original in originals]
        kind = max(kinds, key=of_kind.count)
        texts = [
            [original[name] if names == kind else None for original, names in zip(originals, of_kind, strict=True)]  # type: ignore[index]  # errors have no names
            for name in kind
        ]
        batch = pa.RecordBatch.from_arrays([pa.array(column, pa.large_string()) for column in texts], names=list(kind))
        # One of a table that is too long has no line.
        lines = np.array([row.line or 0 for row in rows], np.int64)
        return ChunkColumns(batch, lines, rows, originals, blank)


def _is_plain(column: Any) -> bool:
    """Tell whether a column holds no number of which JSON's spelling tells more: an infinite one, or zero with a sign."""
    if not pa.types.is_float64(column.type):
        return True
    numbers = column.drop_null().to_numpy()
    return bool(np.isfinite(numbers).all() and not np.signbit(numbers[numbers == 0]).any())


def _is_utf8(name: str) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in name)  # noqa: PLR2004  # surrogates


def _decoded(row: RawRow, job: Job) -> Original:
    try:
        # What travels along, and what is read from messages, may be at any depth.
        return decoded(row, job.columns, every=job.keep_columns or job.back is not None)
    except RowError as error:
        return error


def _names_read(job: Job, original: Original) -> tuple[str, ...]:
    """Return the columns that hold a row's texts, if they do hold strings."""
    if isinstance(original, RowError):
        return ()
    names = job.columns.read_by(original)
    return names if all(isinstance(original[name], str) for name in names) else ()


def _object_ends(data: bytes) -> Places | None:
    """Return where each line of *data* ends, if every line begins and ends like an object and is sound UTF-8.

    A line feed inside a JSON string or number is an error, and one between a closing and an opening brace separates two
    objects; so if Arrow finds as many objects as there are lines, each line is one.
    """
    if not data.startswith(b"{"):
        return None
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == LINE_FEED)
    begins = np.append(0, ends[:-1] + 1)
    last = array[ends - 1]
    # One byte back from a line end there may be a carriage return. A line that begins with a brace has two bytes.
    last = np.where(last == RETURN, array[ends - 2], last)
    if not ((array[begins] == OPEN).all() and (last == CLOSE).all()):
        return None
    # Each line has one at least: what they have beyond that may all be one line's, but hardly ever is so much.
    opening = sum(int(np.count_nonzero(_opening(array[at : at + BLOCK]))) for at in range(0, len(array), BLOCK))
    if opening - len(ends) >= MOST_BRACKETS:
        brackets = np.flatnonzero(_opening(array))
        if np.diff(np.searchsorted(brackets, ends), prepend=0).max() > MOST_BRACKETS:
            return None
    # Arrow 26 takes these for numbers, in columns that nobody reads as well.
    if any(NO_NUMBER.match(data, place) for place in NO_NUMBERS.find(array)[0].tolist()):
        return None
    if not data.isascii():
        offsets = pa.py_buffer(np.array([0, len(data)], np.int64))
        try:
            pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(data)]).validate(full=True)
        except pa.ArrowInvalid:
            return None
    return ends


def _opening(array: Bytes) -> Mask:
    """Return where opening brackets of either kind stand: the two differ in one bit, which no other byte shares."""
    found: Mask = (array | (OPEN ^ OPEN_LIST)) == OPEN
    return found
