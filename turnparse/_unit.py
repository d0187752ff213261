"""The unit of work: what one output is made of, and how. The local runner and every engine do the same, in the same way.

What it becomes depends on nothing but itself and its sources: the same bytes, under the same name, put there in one step. So
it may be done anywhere, and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import attrs

from turnparse._arrow_rows import Layout, Place, arrow_rows
from turnparse._batches import BatchConverter
from turnparse._cell_columns import words_within
from turnparse._chunk_columns import ChunkReader, columns_of
from turnparse._chunks import Chunk
from turnparse._digests import Content
from turnparse._errors import DamagedError, FaultError, OutputError, SourceError
from turnparse._limits import Limits
from turnparse._line_rows import line_rows
from turnparse._manifest import Entry as Known
from turnparse._manifest import holds
from turnparse._near_labels import NearMisses, Words
from turnparse._outcome import Outcome
from turnparse._pieces import pieces
from turnparse._set_aside import Entry, damage_line, entries
from turnparse._shards import Shard
from turnparse._sinks import ArrowRows, Output, failure
from turnparse._sources import Source, open_source
from turnparse._stores import folder_of, store_of, sync
from turnparse._summary import Summary
from turnparse._tasks import Task

AHEAD: Final = 2
"""Chunks for each thread that are converted, or wait to be written, at a time: no thread idles, and memory is bounded."""

MOST_WAITING: Final = 1 << 26
"""Bytes of these chunks at most: of rows that are larger, one is converted at a time."""


@attrs.frozen
class Unit:
    """One unit of work; it can be pickled.

    Attributes:
        task: the output, with its sources.
        limits: what a source may ask for.
        known: what an earlier run's manifest tells of the output, if that is to be left as it is where it still holds.
        digested: whether the outcome is to tell what sources hold.
    """

    task: Task
    limits: Limits
    known: Known | None = None
    digested: bool = True


@attrs.frozen
class Converted:
    """What a chunk of a source became.

    Attributes:
        written: runs of lines, or record batches.
        refused: the rows set aside, numbered from the chunk's first.
        counts: what became of them all.
        near: the words of its first rows without turns that may be meant as labels.
    """

    written: list[Any]
    refused: list[Entry]
    counts: Summary
    near: list[Words]


def do(
    unit: Unit,
    converter: BatchConverter,
    workers: int = 1,
    on_bytes: Callable[[int], object] | None = None,
    check: Callable[[], object] = lambda: None,
) -> Outcome:
    """Do a unit of work: convert all its sources, and put what they become in its place, whole.

    Args:
        unit: what is to be done.
        converter: what judges the rows.
        workers: how many threads convert; with one, no other thread is used. The output is the same.
        on_bytes: called with the number of bytes read.
        check: called now and then; what it raises stops this, and nothing is left of it.

    Raises:
        OutputError: if an output cannot be written; then nothing is left of it.
    """
    if unit.known is not None and holds(unit.known, unit.task, check):
        if on_bytes is not None:
            with suppress(OSError):
                on_bytes(sum(store_of(shard.path).size(shard.path) for shard in unit.task.shards))
        return Outcome(unit.known.counts, unit.known.near, is_left=True)
    return _Work(unit, converter, workers, on_bytes, check).done()


class _Work:
    """A unit under way; see `do`."""

    def __init__(
        self,
        unit: Unit,
        converter: BatchConverter,
        workers: int,
        on_bytes: Callable[[int], object] | None,
        check: Callable[[], object],
    ) -> None:
        self._unit = unit
        self._task = unit.task
        self._counts = Summary()
        self._near = NearMisses()
        self._failures: list[SourceError] = []
        self._converter = converter
        self._reader = ChunkReader(converter.job)
        self._workers = workers
        self._on_bytes = on_bytes
        self._check = check
        self._contents: list[Content] = []
        self._layout: Layout | None = None
        if isinstance(self._task.out, ArrowRows):
            columns = converter.job.target.columns
            self._task.out.words = [word for name, cell in columns.items() for word in words_within(cell, name)]

    def done(self) -> Outcome:
        """Convert all sources, put the outputs in their place, and return what became of them.

        Raises:
            OutputError: if an output cannot be written.
        """
        out, aside = self._task.out, self._task.aside
        pool = ThreadPoolExecutor(self._workers, "turnparse") if self._workers > 1 else None
        try:
            if self._task.in_folder:
                _make_folders(out, aside)
            out.open()
            for shard in self._task.shards:
                self._shard(shard, pool)
                if self._failed:
                    return Outcome(Summary(), self._near, self._failures)
            if self._nothing_read:
                return Outcome(self._counts, self._near, self._failures, nothing_read=True)
            if isinstance(out, ArrowRows) and out.schema is None:
                out.schema = Layout.of(self._converter, {}, metadata=False).schema
            self._commit()
            contents = self._contents if self._unit.digested and not self._failures else None
            refused = None if aside is None else aside.content
            return Outcome(self._counts, self._near, self._failures, contents, out.content, refused)
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
            out.discard()
            if aside is not None:
                aside.discard()

    def _commit(self) -> None:
        """Put the outputs in their place.

        Rows set aside come first: an output never stands without them. If none are, an earlier run's go last; where there
        can be none, what is there is another's, and the output does not come to stand beside it.

        Raises:
            OutputError: if that fails.
        """
        out, aside = self._task.out, self._task.aside
        for output in (out, aside):
            if output is not None:
                output.finish()
        if aside is not None and (aside.stream is not None or aside.new):
            aside.place()
        try:
            out.place()
        except OutputError:
            if aside is not None:
                aside.withdraw()
            raise
        if aside is not None and aside.stream is None and not aside.new:
            aside.place()
        try:
            sync(output.name for output in (out, aside) if output is not None and output.committed)
        except OSError as error:
            raise failure(error, out.name) from None

    @property
    def _failed(self) -> bool:
        """Whether what was read of a source may not be what it holds: then nothing of it is written."""
        return bool(self._failures) and isinstance(self._failures[-1], FaultError)

    @property
    def _nothing_read(self) -> bool:
        """Whether none of the sources gave any row before it failed."""
        return not self._failed and len(self._failures) == len(self._task.shards) and not self._counts.rows_in

    def _shard(self, shard: Shard, pool: ThreadPoolExecutor | None) -> None:
        """Convert one source; remember what is wrong with it, if it cannot be read to its end."""
        rows = 0
        try:
            unit = self._unit
            with open_source(shard.path, self._on_bytes, unit.limits, digested=unit.digested) as source:
                for converted in self._in_order(self._pieces(source), source, pool):
                    self._take(converted, rows)
                    rows += converted.counts.rows_in
                    # It may be as large as a row is, and the next one is read before this name is given anew.
                    del converted
                if unit.digested and (content := source.content(self._check)) is not None:
                    self._contents.append(content)
        except SourceError as error:
            self._failures.append(error)
            # Where not one row comes before the damage, the source is one that cannot be read at all.
            if isinstance(error, DamagedError) and rows:
                self._set_aside_rest(error, source.path, rows)

    def _set_aside_rest(self, error: DamagedError, source: str, rows: int) -> None:
        """Set aside what cannot be read of a damaged source, after so many *rows*: as one row, since nobody knows how many."""
        if self._task.aside is not None:
            self._task.aside.write(damage_line(error, rows, source))
        counts = Summary(rows_in=1, rows_set_aside=1)
        counts.reasons["source-damaged"] = counts.diagnostics["source-damaged"] = 1
        self._counts.add(counts)

    def _pieces(self, source: Source) -> Iterator[Chunk | Any]:
        """Yield the chunks or batches of a source.

        Raises:
            SourceError: if the source cannot be read to its end.
        """
        for piece in pieces(source, self._converter.job.columns, self._unit.limits, self._on_bytes):
            self._check()
            yield piece

    def _in_order(self, found: Iterator[Any], source: Source, pool: ThreadPoolExecutor | None) -> Iterator[Converted]:
        """Yield what each piece that is *found* becomes, in their order; an error comes after all that came before it."""
        waiting: deque[tuple[int, Future[Converted]]] = deque()
        size = first = 0
        failure: SourceError | None = None
        try:
            for piece in found:
                # The first rows decide the columns of an output in Arrow; until then there is no second chunk.
                if pool is None or (isinstance(self._task.out, ArrowRows) and self._layout is None):
                    yield self._converted(piece, source, first)
                    first += _rows(piece)
                    continue
                waiting.append((_size(piece), pool.submit(self._converted, piece, source, first)))
                size += waiting[-1][0]
                first += _rows(piece)
                del piece
                while waiting and (len(waiting) >= AHEAD * self._workers or size > MOST_WAITING):
                    size -= waiting[0][0]
                    yield waiting.popleft()[1].result()
        except SourceError as error:
            failure = error
        while waiting:
            yield waiting.popleft()[1].result()
        if failure is not None:
            raise failure

    def _converted(self, piece: Chunk | Any, source: Source, first: int) -> Converted:
        """Return what a chunk of JSON, or a batch of Arrow that so many rows come before, becomes."""
        is_chunk = isinstance(piece, Chunk)
        read = self._reader.read(piece) if is_chunk else columns_of(piece, decoded=self._needs_rows(piece))
        converter = self._converter
        place = Place(source.path, read.lines if is_chunk else None, first, read.first_read)
        judged = converter.judge(read.batch, read.originals)
        written: list[Any]
        if isinstance(self._task.out, ArrowRows):
            layout = self._layout
            if layout is None:
                layout = (
                    Layout.of_rows(converter, judged) if is_chunk else Layout.of_columns(converter, read.batch.schema)
                )
                # Of rows of JSON that are all set aside nothing is to be learnt.
                self._layout = layout if not is_chunk or len(judged.refused) < len(judged.batch) else None
            judged, written = arrow_rows(converter, judged, layout, place)
        else:
            judged, written = line_rows(converter, judged, place)
        # The text of each is made here, where others are being made: only its number is missing.
        kept = judged.refused if self._task.aside is not None else []
        refused = list(entries(((read.raw[one.index], one.judgement) for one in kept), source.path))
        counts = judged.settled(len(converter.job.target.records))
        counts.blank_lines = read.blank_lines
        return Converted(written, refused, counts, judged.near)

    def _needs_rows(self, piece: Any) -> bool:
        """Tell whether the rows of a batch, or chunk, are to be had as JSON has them: what travels along is then seen row by row.

        It is so where lines are written, and where the output's columns are not made for all that these may hold.
        """
        if isinstance(piece, Chunk) or not self._converter.job.keep_columns:
            return False
        if not isinstance(self._task.out, ArrowRows):
            return True
        return self._layout is not None and not self._layout.holds(Layout.of_columns(self._converter, piece.schema))

    def _take(self, converted: Converted, rows: int) -> None:
        """Write what a chunk became, before which the source had so many *rows*."""
        out, aside = self._task.out, self._task.aside
        if isinstance(out, ArrowRows):
            if out.schema is None and self._layout is not None:
                out.schema = self._layout.schema
            out.write(converted.written)
        else:
            for lines in converted.written:
                out.write(lines)
        if aside is not None and converted.refused:
            aside.write(b"".join(entry.line(rows) for entry in converted.refused))
        self._counts.add(converted.counts)
        self._near.take(converted.near)


def _size(piece: Chunk | Any) -> int:
    """Return how many bytes a chunk or batch has."""
    if not isinstance(piece, Chunk):
        return int(piece.nbytes)
    return len(piece.data) or sum(len(row.data) for row in piece.elements or ())


def _rows(piece: Chunk | Any) -> int:
    """Return how many rows a batch has; of a chunk of JSON that is not known, and lines tell."""
    if not isinstance(piece, Chunk):
        return len(piece)
    # Only rows of a table have no line.
    return len(piece.elements) if piece.elements and piece.elements[0].line is None else 0


def _make_folders(*outputs: Output | None) -> None:
    """Make the folders of *outputs*.

    Raises:
        OutputError: if that fails.
    """
    for output in outputs:
        if output is not None:
            try:
                store_of(output.name).make_folder(folder_of(output.name))
            except (OSError, ValueError) as error:
                raise failure(error, output.name) from None
