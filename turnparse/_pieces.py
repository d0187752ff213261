"""The pieces that a source is read in, chunks of JSON or batches of Arrow, and the rows of each as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from turnparse._chunk_columns import ChunkColumns, ChunkReader, columns_of
from turnparse._chunks import Chunk, FirstRead
from turnparse._limits import Limits
from turnparse._places import Place
from turnparse._rows import Columns
from turnparse._set_aside import has_entries
from turnparse._sources import Source, open_source
from turnparse._table_sources import chunk_of, read_batches


def pieces(
    source: Source, columns: Columns, limits: Limits, on_bytes: Callable[[int], object] | None = None
) -> Iterator[Chunk | Any]:
    """Yield the chunks or batches of *source*, in which *columns* hold the texts.

    Raises:
        SourceError: if the source cannot be read to its end.
    """
    if source.table is None:
        yield from source.chunks
        return
    for piece in read_batches(source.table, source.name, on_bytes, limits):
        yield piece if isinstance(piece, Chunk) or not has_entries(piece.schema.names, columns) else chunk_of(piece)


@attrs.frozen(slots=False)
class Stretch:
    """Some rows of a source that follow each other, as columns.

    Attributes:
        source: the source's path.
        read: the rows.
        first: how many rows of the source come before them.
    """

    source: str
    read: ChunkColumns
    first: int

    def __len__(self) -> int:
        return len(self.read.batch)

    @cached_property
    def _first_read(self) -> Mapping[int, FirstRead]:
        return self.read.first_read

    def place(self, index: int) -> Place:
        """Return where row *index* stands, or stood before it was set aside."""
        if (first := self._first_read.get(index)) is not None:
            return Place(first.source or "", first.line, first.row)
        lines = self.read.lines
        # Rows of tables have no lines, and one of them that is too long has none in its list.
        line = int(lines[index]) if len(lines) else 0
        near = lines[max(0, index - 1) : index + 2]
        return Place(self.source, line or None, self.first + index, shares_line=bool(line) and (near == line).sum() > 1)


def stretches(
    path: str, reader: ChunkReader, limits: Limits, on_bytes: Callable[[int], object] | None = None
) -> Iterator[Stretch]:
    """Yield the rows of the source at *path*, lazily.

    Args:
        path: the path, or ``-``.
        reader: what makes columns of its chunks.
        limits: what it may ask for.
        on_bytes: called with the number of bytes read.

    Raises:
        SourceError: if it cannot be opened, or not be read to its end; what was sound before has been yielded.
    """
    first = 0
    with open_source(path, on_bytes, limits) as source:
        for piece in pieces(source, reader.job.columns, limits, on_bytes):
            read = reader.read(piece) if isinstance(piece, Chunk) else columns_of(piece, decoded=False)
            yield Stretch(source.path, read, first)
            first += len(read.batch)
