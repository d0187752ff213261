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
        SourceError: if it is damaged; batches before the damage have been yielded.
    """
    try:
        # What was read to see what is in the file has been told.
        told = file.tell()
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        for done, batch in _batches(file):
            batch.validate(full=True)
            yield from _cut(_plain(batch))
            if on_bytes is not None and size * done > told:
                on_bytes(int(size * done) - told)
                told = int(size * done)
        if on_bytes is not None:
            on_bytes(size - told)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"expected to read the source to its end, found: {reason(error)}", source=name) from None


def _batches(file: IO[bytes]) -> Iterator[tuple[float, Any]]:
    """Yield each batch, and the share of the file that has been read then."""
    magic = file.read(LONGEST_MAGIC)
    file.seek(0)
    if magic.startswith(PARQUET_MAGIC):
        yield from _of_parquet(pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False))
    elif magic.startswith(ARROW_MAGIC):
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            yield (index + 1) / reader.num_record_batches, reader.get_batch(index)
    else:
        for batch in pa.ipc.open_stream(file):
            yield 0.0, batch


def _of_parquet(parquet: Any) -> Iterator[tuple[float, Any]]:
    rows = parquet.metadata.num_rows
    groups = [parquet.metadata.row_group(index) for index in range(parquet.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    rows_at_once = max(1, min(MOST_ROWS, BATCH_BYTES * rows // max(1, size)))
    done = 0
    for batch in parquet.iter_batches(rows_at_once, use_threads=False):
        done += len(batch)
        yield done / max(1, rows), batch


def _plain(batch: Any) -> Any:
    """Return *batch* with columns that the columns reader and its functions know."""
    columns = [plain_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def plain_column(column: Any) -> Any:
    """Return an array or chunked array as one of a type that Arrow's functions know: few know string views, or runs."""
    if column.type == pa.string_view():
        try:
            return column.cast(pa.large_string())
        except pa.ArrowNotImplementedError:
            # Arrow 17 has the type, but no cast from it.
            chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
            copies = [pa.array(chunk.to_pylist(), pa.large_string()) for chunk in chunks]
            return pa.chunked_array(copies, pa.large_string()) if isinstance(column, pa.ChunkedArray) else copies[0]
    return pc.run_end_decode(column) if pa.types.is_run_end_encoded(column.type) else column


def _cut(batch: Any) -> Iterator[Any]:
    """Yield *batch* in pieces of about `BATCH_BYTES`: a batch of Arrow, or rows that repeat in Parquet, may be any size."""
    rows = max(1, min(MOST_ROWS, BATCH_BYTES * len(batch) // max(1, batch.nbytes)))
    for begin in range(0, len(batch), rows):
        yield batch.slice(begin, rows)


def raw_row(row: dict[str, Any], number: int) -> RawRow:
    """Return a row of a table as one that has no line: as JSON, with text for what JSON has no type for."""
    return RawRow(orjson.dumps(row, default=str), None, number)
