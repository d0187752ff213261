"""Sources that hold Arrow batches already: Parquet, and Arrow IPC of either kind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from turnparse._chunks import Chunk, RawRow
from turnparse._errors import SourceError, escape
from turnparse._json_values import as_json
from turnparse._limits import KEPT, USUAL, Limits
from turnparse._streams import ARROW_MAGIC, LONGEST_MAGIC, PARQUET_MAGIC, Watched, damaged, reason

BATCH_BYTES: Final = 1 << 21
"""Bytes of a batch: enough to make calls cheap, few enough to stay in cache and memory."""

MOST_ROWS: Final = 1 << 15
"""Rows of a batch at most, however short they are."""

BUFFER: Final = 1 << 20
"""Bytes that a column of Parquet is read by: without a buffer, a whole row group is read at once."""


BYTES_OF: Final = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}
"""The types of texts, and what they are when nobody asks whether they are UTF-8."""


def read_batches(
    file: Watched, name: str, on_bytes: Callable[[int], object] | None = None, limits: Limits = USUAL
) -> Iterator[Any]:
    """Yield the batches of a file of Parquet or Arrow, as `pyarrow.RecordBatch`es of one schema.

    A row that is too long, or holds a text that is no UTF-8, comes as a `Chunk` instead.

    Args:
        file: the open file.
        name: what messages call it.
        on_bytes: called with a number of bytes now and then, which add up to the size of the file.
        limits: how long a row may be.

    Raises:
        DamagedError: if it is damaged; rows before the damage have been yielded.
        FaultError: if a read failed, or the file was changed meanwhile.
        SourceError: if two columns have one name.
    """
    told = 0
    for done, batch in _guarded(_batches(file), file, name):
        for piece in [batch] if isinstance(batch, Chunk) else _cut(batch):
            if isinstance(piece, Chunk):
                yield piece
                continue
            yield from [piece] if piece.nbytes <= limits.max_row_bytes else _without_long_rows(piece, limits)
        if on_bytes is not None and done > told:
            on_bytes(done - told)
            told = done
    size = file.seek(0, os.SEEK_END)
    if on_bytes is not None and size > told:
        on_bytes(size - told)


def _guarded(batches: Iterator[tuple[int, Any]], file: Watched, name: str) -> Iterator[tuple[int, Any]]:
    """Yield from *batches* what is sound, with what a damaged file raises turned into our own error."""
    failure: Exception | None = None
    try:
        for done, batch in batches:
            _require_names(batch, name)
            if _damage(batch) is None:
                yield done, _plain_batch(batch)
                continue
            # A text that is no UTF-8 is one row's fault, and no damage. But Arrow tells of one fault, and it may hide
            # others, such as texts that begin outside of the file: with bytes in place of texts, these alone are left.
            plain = _with_bytes(batch)
            failure = _damage(plain)
            for piece in _without_other_texts(batch if failure is None else batch.slice(0, _sound(plain))):
                yield done, piece if isinstance(piece, Chunk) else _plain_batch(piece)
            if failure is not None:
                break
    except SourceError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        failure = error
    file.require_whole()
    if failure is not None:
        raise damaged(reason(failure), file.at, name)


def _plain_batch(batch: Any) -> Any:
    return pa.RecordBatch.from_arrays(list(map(plain_column, batch.columns)), names=batch.schema.names)


def _with_bytes(batch: Any) -> Any:
    """Return *batch* with the same bytes in place of texts, or texts where Arrow has no such view."""
    return pa.RecordBatch.from_arrays([_viewed(column) for column in batch.columns], names=batch.schema.names)


def _viewed(column: Any) -> Any:
    try:
        return column.view(_bytes_type(column.type))
    except (pa.ArrowException, ValueError):
        return column


def _bytes_type(kind: Any) -> Any:
    """Return the type *kind* with bytes in place of texts, at any depth."""
    if kind in BYTES_OF:
        return BYTES_OF[kind]
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _bytes_type(kind.value_type), kind.ordered)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        made = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return made(_bytes_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _bytes_type(field.type)) for field in kind])
    return kind


def _without_other_texts(batch: Any) -> Iterator[Any]:
    """Yield *batch*, with which nothing else is wrong, in pieces: rows with a text that is no UTF-8 are chunks of their own."""
    begin = 0
    while begin < len(batch):
        rest = batch.slice(begin)
        sound = _sound(rest)
        if sound:
            yield rest.slice(0, sound)
        if sound < len(rest):
            yield Chunk(b"", 0, (RawRow(_bytes_of(rest, sound), None, 0),))
        begin += sound + 1


def _bytes_of(batch: Any, index: int) -> bytes:
    """Return row *index* of *batch* as JSON, with the very bytes of texts that are no UTF-8."""
    row = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        plain = plain_column(column.slice(index, 1))
        if pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type):
            wide = pa.types.is_large_string(plain.type)
            value = plain.view(pa.large_binary() if wide else pa.binary())[0].as_py()
            row[name] = None if value is None else value.decode("utf-8", "surrogateescape")
        else:
            try:
                row[name] = _value(plain[0])
            except UnicodeDecodeError:
                row[name] = "\udcff"
    return json.dumps(row, ensure_ascii=False, default=as_json).encode("utf-8", "surrogateescape")


def _damage(batch: Any) -> Exception | None:
    """Return what is wrong with a batch, if anything is: such as that a text is no UTF-8."""
    try:
        batch.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        return error
    return None


def _sound(batch: Any) -> int:
    """Return how many rows of a batch with which something is wrong come before that."""
    begin, end = 0, len(batch)
    while begin < end:
        middle = (begin + end + 1) // 2
        if _damage(batch.slice(0, middle)) is None:
            begin = middle
        else:
            end = middle - 1
    return begin


def _require_names(batch: Any, name: str) -> None:
    """Check that each column of *batch* has a name of its own.

    Raises:
        SourceError: if two have the same.
    """
    names = batch.schema.names
    if len(set(names)) < len(names):
        twice = next(one for index, one in enumerate(names) if one in names[:index])
        msg = f"expected columns of different names, found two columns of one name: {escape(twice)}; rename one of them"
        raise SourceError(msg, source=name)


def _batches(file: Watched) -> Iterator[tuple[int, Any]]:
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
    if pa.types.is_dictionary(column.type) and _plain_type(column.type.value_type) != column.type.value_type:
        if isinstance(column, pa.ChunkedArray):
            kind = pa.dictionary(column.type.index_type, _plain_type(column.type.value_type))
            return pa.chunked_array(list(map(plain_column, column.chunks)), kind)
        return pa.DictionaryArray.from_arrays(column.indices, plain_column(column.dictionary))
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


def _without_long_rows(batch: Any, limits: Limits) -> Iterator[Any]:
    """Yield *batch* in pieces, with rows that are too long as chunks of their own; how long a row is is what Arrow holds of it."""
    begin = 0
    for index in range(len(batch)):
        size = batch.slice(index, 1).nbytes
        if size > limits.max_row_bytes:
            if begin < index:
                yield batch.slice(begin, index - begin)
            begun = raw_row(row_of(batch, index), 0).data[: KEPT + 1]
            yield Chunk(b"", 0, (RawRow.too_long(begun, None, size),))
            begin = index + 1
    if begin < len(batch):
        yield batch.slice(begin)


def rows_of(batch: Any) -> list[dict[str, Any]]:
    """Return the rows of *batch* as Python has them; what Python has no type for as text."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [row_of(batch, index) for index in range(len(batch))]
    return rows


def row_of(batch: Any, index: int) -> dict[str, Any]:
    """Return row *index* of *batch* as Python has it; what Python has no type for as text."""
    return {name: _value(column[index]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        # A time in nanoseconds, or beyond the year 9999; a struct with a field name twice.
        try:
            return scalar.cast(pa.string()).as_py()
        except (ValueError, pa.ArrowException):
            # Not even as text where its time zone is unknown here.
            return str(getattr(scalar, "value", scalar.type))


def chunk_of(batch: Any) -> Chunk:
    """Return *batch* as a chunk of rows as JSON, which have no line."""
    return Chunk(b"", 0, tuple(raw_row(row, index) for index, row in enumerate(rows_of(batch))))


def raw_row(row: dict[str, Any], number: int) -> RawRow:
    """Return a row of a table as one that has no line: as JSON, with text for what JSON has no type for."""
    return RawRow(orjson.dumps(row, default=as_json), None, number)
