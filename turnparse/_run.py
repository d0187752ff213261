"""A conversion under way: chunks are converted side by side, and written in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, Final

import attrs

from turnparse._arrow_rows import Layout, Place, arrow_rows
from turnparse._batches import BatchConverter
from turnparse._cell_columns import words_within
from turnparse._chunk_columns import ChunkReader, columns_of
from turnparse._chunks import Chunk
from turnparse._digests import Content
from turnparse._errors import DamagedError, FaultError, OutputError, SourceError
from turnparse._limits import USUAL, Limits
from turnparse._line_rows import line_rows
from turnparse._manifest import Manifest
from turnparse._near_labels import NearMisses, Words
from turnparse._set_aside import Entry, damage_line, entries
from turnparse._shards import Shard
from turnparse._sinks import ArrowRows, Output, failure
from turnparse._sources import Source, open_source
from turnparse._summary import Summary
from turnparse._table_sources import read_batches
from turnparse._tasks import Task
from turnparse._whole import sync_folders

AHEAD: Final = 2
"""Chunks for each thread that are converted, or wait to be written, at a time: no thread idles, and memory is bounded."""

MOST_WAITING: Final = 1 << 26
"""Bytes of these chunks at most: of rows that are larger, one is converted at a time."""


class StoppedError(Exception):
    """Another thread failed. Never leaves this module."""


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


def run(
    converter: BatchConverter,
    tasks: list[Task],
    workers: int,
    on_bytes: Callable[[int], object] | None,
    limits: Limits = USUAL,
    *,
    manifest: Manifest | None = None,
    resume: bool = False,
) -> tuple[Summary, list[SourceError]]:
    """Do all *tasks*.

    Args:
        converter: what judges the rows.
        tasks: the outputs with their sources.
        workers: how many threads convert at a time.
        on_bytes: called with the number of bytes read.
        limits: what a source may ask for.
        manifest: what is told of each output.
        resume: whether what the manifest knows to be done is not done again.

    Returns:
        The counts, and what is wrong with sources that could not be read to their end. Of one that could not be read
        though nothing need be wrong with it, a `FaultError`, no output is written.

    Raises:
        SourceError: if no source can be read; then nothing is written.
        OutputError: if an output cannot be written; then nothing is left of it.
    """
    stop = Event()
    side_by_side = min(workers, len(tasks))
    share = max(1, workers // side_by_side)
    runs = [
        _Run(converter, task, share, on_bytes, stop, limits=limits, manifest=manifest, resume=resume) for task in tasks
    ]
    try:
        if side_by_side == 1:
            for one in runs:
                one.convert()
        else:
            _all_of(runs, side_by_side, stop)
    except BaseException:
        if manifest is not None:
            # Why it ends is to be told, rather than that this failed too.
            with suppress(OutputError):
                manifest.save(always=False)
        raise
    counts = Summary()
    near = NearMisses()
    for one in runs:
        counts.add(one.counts)
        near.add(one.near)
    counts.near_labels = converter.hint(counts, near)
    failures = [failed for one in runs for failed in one.failures]
    if all(one.nothing_read for one in runs):
        raise failures[0]
    return counts, failures


def _all_of(runs: list[_Run], side_by_side: int, stop: Event) -> None:
    """Do *runs*, so many at a time; if one fails, stop the others and raise its error."""
    with ThreadPoolExecutor(side_by_side, "turnparse") as pool:
        futures = [pool.submit(one.convert) for one in runs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            # What failed first is in the order of time, not of sources: a run that was stopped is not at fault.
            for future in futures:
                error = future.exception() if future.done() and not future.cancelled() else None
                if error is not None and not isinstance(error, StoppedError):
                    raise error from None
            raise


class _Run:
    """One task under way.

    Args:
        converter: what judges the rows.
        task: the output with its sources.
        workers: how many threads convert its chunks; with one, no other thread is used.
        on_bytes: called with the number of bytes read.
        stop: set when this run should stop.
        limits: what a source may ask for.
        manifest: what is told of the output.
        resume: whether it is left as it is if the manifest knows it to be done.
    """

    def __init__(
        self,
        converter: BatchConverter,
        task: Task,
        workers: int,
        on_bytes: Callable[[int], object] | None,
        stop: Event,
        *,
        limits: Limits,
        manifest: Manifest | None,
        resume: bool,
    ) -> None:
        self.task = task
        self.counts = Summary()
        self.near = NearMisses()
        self.failures: list[SourceError] = []
        self._converter = converter
        self._reader = ChunkReader(converter.job)
        self._workers = workers
        self._on_bytes = on_bytes
        self._stop = stop
        self._limits = limits
        self._manifest = manifest
        self._resume = resume
        self._contents: list[Content] = []
        self._layout: Layout | None = None
        if isinstance(task.out, ArrowRows):
            columns = converter.job.target.columns
            task.out.words = [word for name, cell in columns.items() for word in words_within(cell, name)]

    def convert(self) -> None:
        """Convert all sources, and put the outputs in their place.

        Raises:
            OutputError: if an output cannot be written.
            StoppedError: if this run was stopped.
        """
        if self._is_done():
            return
        out, aside = self.task.out, self.task.aside
        pool = ThreadPoolExecutor(self._workers, "turnparse") if self._workers > 1 else None
        try:
            if self.task.in_folder:
                _make_folders(out, aside)
            out.open()
            for shard in self.task.shards:
                self._shard(shard, pool)
                if self.failed:
                    self.counts = Summary()
                    return
            if self.nothing_read:
                return
            if isinstance(out, ArrowRows) and out.schema is None:
                out.schema = Layout.of(self._converter, {}, metadata=False).schema
            self._commit()
            if self._manifest is not None:
                self._manifest.record(self.task, None if self.failures else self._contents, self.counts, self.near)
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
            out.discard()
            if aside is not None:
                aside.discard()

    def _is_done(self) -> bool:
        """Tell whether an earlier run has done this, and take what it counted if so."""
        done = self._manifest.done(self.task, self._check) if self._manifest is not None and self._resume else None
        if done is None:
            return False
        self.counts, self.near = done.counts, done.near
        self.task.out.committed = True
        if self._on_bytes is not None:
            with suppress(OSError):
                self._on_bytes(sum(Path(shard.path).stat().st_size for shard in self.task.shards))
        return True

    def _commit(self) -> None:
        """Put the outputs in their place.

        Rows set aside come first: an output never stands without them. If none are, an earlier run's go last; where there
        can be none, what is there is another's, and the output does not come to stand beside it.

        Raises:
            OutputError: if that fails.
        """
        out, aside = self.task.out, self.task.aside
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
            sync_folders(output.name for output in (out, aside) if output is not None and output.committed)
        except OSError as error:
            raise failure(error, out.name) from None

    def _check(self) -> None:
        """Go on, or not.

        Raises:
            StoppedError: if this run is to stop.
        """
        if self._stop.is_set():
            raise StoppedError

    @property
    def failed(self) -> bool:
        """Whether what was read of a source may not be what it holds: then nothing of it is written."""
        return bool(self.failures) and isinstance(self.failures[-1], FaultError)

    @property
    def nothing_read(self) -> bool:
        """Whether none of the sources gave any row before it failed."""
        return not self.failed and len(self.failures) == len(self.task.shards) and not self.counts.rows_in

    def _shard(self, shard: Shard, pool: ThreadPoolExecutor | None) -> None:
        """Convert one source; remember what is wrong with it, if it cannot be read to its end."""
        rows = 0
        try:
            digested = self._manifest is not None
            with open_source(shard.path, self._on_bytes, self._limits, digested=digested) as source:
                for converted in self._in_order(self._pieces(source), source, pool):
                    self._take(converted, rows)
                    rows += converted.counts.rows_in
                    # It may be as large as a row is, and the next one is read before this name is given anew.
                    del converted
                if self._manifest is not None and (content := source.content(self._check)) is not None:
                    self._contents.append(content)
        except SourceError as error:
            self.failures.append(error)
            # Where not one row comes before the damage, the source is one that cannot be read at all.
            if isinstance(error, DamagedError) and rows:
                self._set_aside_rest(error, source.path, rows)

    def _set_aside_rest(self, error: DamagedError, source: str, rows: int) -> None:
        """Set aside what cannot be read of a damaged source, after so many *rows*: as one row, since nobody knows how many."""
        if self.task.aside is not None:
            self.task.aside.write(damage_line(error, rows, source))
        counts = Summary(rows_in=1, rows_set_aside=1)
        counts.diagnostics["source-damaged"] = 1
        self.counts.add(counts)

    def _pieces(self, source: Source) -> Iterator[Chunk | Any]:
        """Yield the chunks or batches of a source.

        Raises:
            StoppedError: if this run is to stop.
            SourceError: if the source cannot be read to its end.
        """
        if source.table is None:
            pieces: Iterator[Any] = source.chunks
        else:
            pieces = read_batches(source.table, source.name, self._on_bytes, self._limits)
        for piece in pieces:
            self._check()
            yield piece

    def _in_order(self, pieces: Iterator[Any], source: Source, pool: ThreadPoolExecutor | None) -> Iterator[Converted]:
        """Yield what each of *pieces* becomes, in their order; an error comes after all that came before it."""
        waiting: deque[tuple[int, Future[Converted]]] = deque()
        size = first = 0
        failure: SourceError | None = None
        try:
            for piece in pieces:
                # The first rows decide the columns of an output in Arrow; until then there is no second chunk.
                if pool is None or (isinstance(self.task.out, ArrowRows) and self._layout is None):
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
        if isinstance(self.task.out, ArrowRows):
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
        kept = judged.refused if self.task.aside is not None else []
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
        if not isinstance(self.task.out, ArrowRows):
            return True
        return self._layout is not None and not self._layout.holds(Layout.of_columns(self._converter, piece.schema))

    def _take(self, converted: Converted, rows: int) -> None:
        """Write what a chunk became, before which the source had so many *rows*."""
        out, aside = self.task.out, self.task.aside
        if isinstance(out, ArrowRows):
            if out.schema is None and self._layout is not None:
                out.schema = self._layout.schema
            out.write(converted.written)
        else:
            for lines in converted.written:
                out.write(lines)
        if aside is not None and converted.refused:
            aside.write(b"".join(entry.line(rows) for entry in converted.refused))
        self.counts.add(converted.counts)
        self.near.take(converted.near)


def _size(piece: Chunk | Any) -> int:
    """Return how many bytes a chunk or batch has."""
    return len(piece.data) if isinstance(piece, Chunk) else int(piece.nbytes)


def _rows(piece: Chunk | Any) -> int:
    """Return how many rows a batch has; of a chunk of JSON that is not known, and lines tell."""
    if not isinstance(piece, Chunk):
        return len(piece)
    # A row of a table that is too long is a chunk without a line.
    return int(piece.is_cut and piece.rows()[0][0].line is None)


def _make_folders(*outputs: Output | None) -> None:
    """Make the folders of *outputs*.

    Raises:
        OutputError: if that fails.
    """
    for output in outputs:
        if output is not None:
            try:
                Path(output.name).parent.mkdir(parents=True, exist_ok=True)
            except (OSError, ValueError) as error:
                raise failure(error, output.name) from None
