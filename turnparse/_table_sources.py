"""Sources that hold Arrow batches already: Parquet, and Arrow IPC of either kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from turnparse._errors import SourceError
from turnparse._json_values import as_json
from turnparse._sources import RawRow
from turnparse._streams import ARROW_MAGIC, LONGEST_MAGIC, PARQUET_MAGIC, reason

BATCH_BYTES: Final = 1 << 21
"""Bytes of a batch: enough to make calls cheap, few enough to stay in cache and memory."""

MOST_ROWS: Final = 1 << 15
"""Rows of a batch at most, however short they are."""

BUFFER: Final = 1 << 20
"""Bytes that a column of Parquet is read by: without a buffer, a whole row group is read at once."""


def read_batches(file: IO[bytes], name: str, on_bytes: Callable[[int], object] | None = None) -> Iterator[Any]:
    """Yield the batches of a file of Parquet or Arrow, as `pyarrow.RecordBatch`es of one schema.

    Args:
        file: the open file.
        name: what messages call it.
        on_bytes: called with a number of bytes now and then, which add up to the size of the file.

    Raises:
        SourceError: if it is damaged, or two columns have one name; batches before the damage have been yielded.
    """
    told = 0
    for done, batch in _guarded(_batches(file), name):
        yield from _cut(batch)
        if on_bytes is not None and done > told:
            on_bytes(done - told)
            told = done
    size = file.seek(0, os.SEEK_END)
    if on_bytes is not None and size > told:
        on_bytes(size - told)


def _guarded(batches: Iterator[tuple[int, Any]], name: str) -> Iterator[tuple[int, Any]]:
    """Yield from *batches* once they are seen to be sound, with what a damaged file raises turned into our own error."""
    try:
        for done, batch in batches:
            _require_names(batch)
            batch.validate(full=True)
            yield done, pa.RecordBatch.from_arrays(list(map(plain_column, batch.columns)), names=batch.schema.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"expected to read the source to its end, found: {reason(error)}", source=name) from None


def _require_names(batch: Any) -> None:
    """Check that each column of *batch* has a name of its own.

    Raises:
        ValueError: if two have the same.
    """
    if len(set(batch.schema.names)) < len(batch.schema.names):
        raise ValueError("two columns of one name")


def _batches(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield each batch, and how much of the file has been read then, roughly."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(LONGEST_MAGIC)
    file.seek(0)
    if magic.startswith(PARQUET_MAGIC):
        for share, batch in _of_parquet(pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)):
            yield int(size * share), batch
    elif magic.startswith(ARROW_MAGIC):
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            yield size * (index + 1) // reader.num_record_batches, reader.get_batch(index)
    else:
        for batch in pa.ipc.open_stream(file):
            yield min(file.tell(), size), batch


def _of_parquet(parquet: Any) -> Iterator[tuple[float, Any]]:
    rows, done = max(1, parquet.metadata.num_rows), 0
    # One group after another: damage in one leaves those before it whole.
    for index in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(index)
        rows_at_once = max(1, min(MOST_ROWS, BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)))
        for batch in parquet.iter_batches(rows_at_once, row_groups=[index], use_threads=False):
            done += len(batch)
            yield done / rows, batch


def plain_column(column: Any) -> Any:
    """Return an array or chunked array as one of a type that Arrow's functions know: few know views, or runs."""
    if pa.types.is_run_end_encoded(column.type):
        return plain_column(pc.run_end_decode(column))
    plain = _plain_type(column.type)
    if plain == column.type:
        return column
    try:
        return column.cast(plain)
    except pa.ArrowNotImplementedError:
        # Arrow 17 has views, but no casts from them.
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        copies = [pa.array(chunk.to_pylist(), plain) for chunk in chunks]
        return pa.chunked_array(copies, plain) if isinstance(column, pa.ChunkedArray) else copies[0]


def _plain_type(kind: Any) -> Any:
    """Return the type *kind* with large strings and bytes in place of views of them, at any depth."""
    if kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        made = pa.list_ if pa.types.is_list(kind) else pa.large_list
        plain = _plain_type(kind.value_type)
        return kind if plain == kind.value_type else made(plain)
    if pa.types.is_struct(kind):
        fields = [(field.name, _plain_type(field.type)) for field in kind]
        return (
            kind if all(new == field.type for (_, new), field in zip(fields, kind, strict=True)) else pa.struct(fields)
        )
    return kind


def _cut(batch: Any) -> Iterator[Any]:
    """Yield *batch* in pieces of about `BATCH_BYTES`: a batch of Arrow, or rows that repeat in Parquet, may be any size."""
    rows = max(1, min(MOST_ROWS, BATCH_BYTES * len(batch) // max(1, batch.nbytes)))
    for begin in range(0, len(batch), rows):
        yield batch.slice(begin, rows)


def raw_row(row: dict[str, Any], number: int) -> RawRow:
    """Return a row of a table as one that has no line: as JSON, with text for what JSON has no type for."""
    return RawRow(orjson.dumps(row, default=as_json), None, number)
