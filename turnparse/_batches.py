"""Converting Arrow batches: regular rows by the columns reader, all others by the per-row calls, in order again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._columns import REPORTED, Finished, Markers, finish_texts, read_column, read_pairs
from turnparse._contents import TextColumn
from turnparse._errors import RowError, TurnparseError
from turnparse._job import Job, Judgement, unread
from turnparse._message_columns import MESSAGE, is_whole, message_lists, pair_messages, whole_messages
from turnparse._model import Message
from turnparse._policies import Item
from turnparse._red_team import KEYS, METADATA, MISSPELT, TRANSCRIPT, RedTeamAttempt, wrong_type
from turnparse._render import render
from turnparse._summary import Summary
from turnparse._target import Kind, kind_of, part_of

METADATA_TYPES: Final = {
    "min_harmlessness_score_transcript": pa.float64(),
    "num_params": pa.string(),
    "model_type": pa.string(),
    "rating": pa.float64(),
    "task_description": pa.string(),
    "task_description_harmlessness_score": pa.float64(),
    "red_team_member_id": pa.int64(),
    "is_upworker": pa.bool_(),
    "tags": pa.list_(pa.string()),
}
"""{metadata field of a red-team attempt: its type}."""

ROWS_PER_SLICE: Final = 32
"""A batch that its odd rows cut into slices shorter than this is put in order by copying: slices have a cost each."""

MOST_INTEGER: Final = (1 << 63) - 1
"""The largest number in a column of integers."""


@attrs.frozen
class Refused:
    """A row of a batch that was set aside.

    Attributes:
        index: its place in the batch.
        judgement: why.
    """

    index: int
    judgement: Judgement


@attrs.frozen
class BatchResult:
    """What a batch became.

    Attributes:
        rows: the rows written, in order, as record batches of one schema.
        refused: the rows set aside, in order.
        counts: what became of them all.
        regular: how many rows the columns reader finished.
    """

    rows: list[Any]
    refused: list[Refused]
    counts: Summary
    regular: int


class BatchConverter:
    """Converts batches of one run.

    Args:
        job: what is done with each row.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    @cached_property
    def markers(self) -> Markers | None:
        """The markers that the columns reader looks for; None if it cannot serve the dialect, or the run.

        It serves flat dialects in which no marker stands inside another, and finds no advisory codes.
        """
        table = self.job.dialect.table
        if not table.markers or not table.separable or self.job.diagnostics == "all":
            return None
        return Markers(table)

    @property
    def by_columns(self) -> bool:
        """Whether the columns reader serves the run."""
        return self.markers is not None

    @cached_property
    def takes_regular(self) -> bool:
        """Whether the target takes a regular row as it is: they all end alike, so one stands for all."""
        messages: list[Message] = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
        columns = self.job.columns
        try:
            text = render(messages, dialect=self.job.dialect)
            other = render([messages[0], {"role": "assistant", "content": "b"}], dialect=self.job.dialect)
            row = {columns.chosen: text, columns.rejected: other}
            judged = [self.job.judge(self.job.read(row))]
            judged += [self.job.judge(self.job.read({name: text})) for name in (columns.transcript, columns.text)]
        except TurnparseError:
            return False
        taken = [one for one in judged if one.item is not None and kind_of(one.item) in self.job.target.takes]
        return bool(taken) and not any(one.codes or one.message for one in taken)

    def schema(self, names: Sequence[str]) -> Any:
        """Return the schema of what is written of a table with the columns *names*, without those that travel along."""
        fields = [(name, pa.list_(MESSAGE)) for name in self.job.target.columns]
        return pa.schema(fields + (list(METADATA_TYPES.items()) if self._has_metadata(names) else []))

    def _has_metadata(self, names: Sequence[str]) -> bool:
        """Tell whether metadata of attempts is written of a table with the columns *names*."""
        columns = self.job.columns
        attempts = columns.transcript in names and (columns.transcript == TRANSCRIPT or not KEYS.isdisjoint(names))
        return self.job.target.metadata and attempts

    def convert(self, batch: Any) -> BatchResult:
        """Return what *batch*, a `pyarrow.RecordBatch`, becomes."""
        reading, columns = self._regular(batch)
        regular = reading.regular
        odd = np.flatnonzero(~regular)
        counts = Summary(rows_in=len(batch))
        items: list[Item] = []
        written: list[int] = []
        refused: list[Refused] = []
        for index, row in zip(odd.tolist(), self._rows(batch, odd), strict=True):
            judgement = self._judged(row)
            counts.diagnostics.update(judgement.codes)
            if judgement.relation is not None:
                counts.relations[judgement.relation] += 1
            if judgement.item is None or judgement.message:
                refused.append(Refused(index, judgement))
            else:
                items.append(judgement.item)
                written.append(index)
        finished = len(batch) - len(odd)
        counts.diagnostics.update(reading.counts)
        if finished and self._clashes(batch):
            counts.diagnostics["column-clash"] += finished
        if finished and self.job.columns.chosen in batch.schema.names:
            counts.relations["last-turn"] += finished
        counts.rows_set_aside = len(refused)
        counts.rows_out = counts.records_out = len(batch) - len(refused)
        pieces = self._merged(batch, regular, columns, items, np.array(written, np.int64))
        return BatchResult(pieces, refused, counts, finished)

    def checks(self, name: str, batch: Any) -> bool:
        """Tell whether `convert` itself looks through the texts of the column *name* of *batch*: that they are UTF-8.

        It does so with the rejected sides of pairs, of which the columns reader reads only what differs.
        """
        columns = self.job.columns
        pairs = columns.chosen in batch.schema.names and name == columns.rejected
        return pairs and self.by_columns and not self.job.keep_columns

    def _is_mixed(self, names: Sequence[str]) -> bool:
        """Tell whether what travels along is another matter for each row, since rows may be of several kinds."""
        columns = self.job.columns
        kinds = [(columns.chosen, columns.rejected), (columns.transcript,), (columns.text,)]
        # Half of a pair's columns is no kind, but it is none that a row of another kind reads either.
        return self.job.keep_columns and sum(set(kind) <= set(names) for kind in kinds) > 1

    def _clashes(self, batch: Any) -> bool:
        """Tell whether a column of regular rows that should travel along has the name of one that is written."""
        if not self.job.keep_columns:
            return False
        kind, read = self._kind(batch)
        written = self.job.target.written(kind) if kind else set()
        return not written.isdisjoint(set(batch.schema.names) - read)

    def _kind(self, batch: Any) -> tuple[Kind | None, set[str]]:
        """Return the kind that regular rows of *batch* have, and the columns that are read of them."""
        names, columns = batch.schema.names, self.job.columns
        if columns.chosen in names and columns.rejected in names:
            return "pair", {columns.chosen, columns.rejected}
        if columns.transcript in names:
            if columns.transcript != TRANSCRIPT and KEYS.isdisjoint(names):
                return "transcript", {columns.transcript}
            return "red-team", {columns.transcript, *(KEYS if self.job.target.metadata else ())}
        return ("transcript", {columns.text}) if columns.text in names else (None, set())

    def _judged(self, row: Mapping[str, Any]) -> Judgement:
        try:
            item = self.job.read(row)
        except RowError as error:
            return unread(error)
        if isinstance(item, RedTeamAttempt) and abs(item.red_team_member_id or 0) > MOST_INTEGER:
            return unread(wrong_type("red_team_member_id", item.red_team_member_id, "a number of 64 bits"))
        return self.job.judge(item, self._extra(row, item))

    def _extra(self, row: Mapping[str, Any], item: Item) -> dict[str, Any]:
        """Return the columns of *row* that travel along."""
        if not self.job.keep_columns:
            return {}
        if isinstance(item, RedTeamAttempt) and self.job.target.metadata:
            return item.extra
        read = self.job.columns.read_by(row)
        return {name: value for name, value in row.items() if name not in read}

    def _rows(self, batch: Any, index: Any) -> list[dict[str, Any]]:
        """Return the rows *index* of *batch* as JSON has them."""
        if not len(index):
            return []
        odd = batch.take(pa.array(index))
        odd.validate(full=True)
        rows: list[dict[str, Any]] = odd.to_pylist()
        return rows

    @cached_property
    def kept(self) -> frozenset[str]:
        """The codes that are only counted where the columns reader finds them: the policies do nothing about them."""
        return frozenset(code for code in REPORTED if self.job.policies[code] == "keep")

    def _regular(self, batch: Any) -> tuple[Finished, list[Any]]:
        """Return which rows are regular, and the target's columns; in other rows they hold something or other."""
        none = Finished.none(len(batch))
        if self.markers is None or not self.takes_regular or self._is_mixed(batch.schema.names):
            return none, []
        kind, _ = self._kind(batch)
        if kind == "pair":
            return self._regular_pairs(batch)
        names = (self.job.columns.transcript, self.job.columns.text)
        name = next((name for name in names if name in batch.schema.names), "")
        return (none, []) if kind is None else self._regular_texts(batch, name, kind)

    def _regular_pairs(self, batch: Any) -> tuple[Finished, list[Any]]:
        chosen, rejected = (_text(batch.column(name)) for name in (self.job.columns.chosen, self.job.columns.rejected))
        if chosen is None or rejected is None or self.markers is None or "pair" not in self.job.target.takes:
            return Finished.none(len(batch)), []
        parts = self.job.target.columns.values()
        whole = any(map(is_whole, parts))
        sides = TextColumn.of(chosen), TextColumn.of(rejected)
        pairs = read_pairs(*sides, self.markers, whole=whole, kept=self.kept)
        columns = [pair_messages(pairs, part, self.job.side) for part in parts]
        if self._has_metadata(batch.schema.names):
            columns += [pa.nulls(len(batch), kind) for kind in METADATA_TYPES.values()]
        return pairs.finished.without_nulls(chosen, rejected), columns

    def _regular_texts(self, batch: Any, name: str, kind: Kind) -> tuple[Finished, list[Any]]:
        none = Finished.none(len(batch))
        texts = _text(batch.column(name))
        if texts is None or self.markers is None or kind not in self.job.target.takes:
            return none, []
        metadata = self._metadata(batch) if self._has_metadata(batch.schema.names) else []
        if metadata is None:
            return none, []
        turns = read_column(TextColumn.of(texts), self.markers)
        whole = whole_messages(turns)
        finished = finish_texts(turns, self.markers, self.kept).without_nulls(texts)
        return finished, [whole for _ in self.job.target.columns] + metadata

    def _metadata(self, batch: Any) -> list[Any] | None:
        """Return the metadata columns of attempts; None if their types are to be looked at row by row."""
        found = []
        if "tags" in batch.schema.names and _has_null_items(batch.column("tags")):
            return None
        for name in METADATA:
            spellings = [name, *(key for key, right in MISSPELT.items() if right == name)]
            there = [batch.column(key) for key in spellings if key in batch.schema.names]
            filled = [column for column in there if column.null_count < len(column)]
            kind = METADATA_TYPES[name]
            if not filled:
                found.append(pa.nulls(len(batch), kind))
            elif len(filled) == 1 and (
                filled[0].type == kind or (kind == pa.float64() and filled[0].type == pa.int64())
            ):
                try:
                    found.append(filled[0].cast(kind))
                except pa.ArrowInvalid:
                    # Not every integer is a float.
                    return None
            else:
                return None
        return found

    def _merged(self, batch: Any, regular: Any, columns: list[Any], items: list[Item], written: Any) -> list[Any]:
        """Return the regular rows and the mended items, in the order of *batch*, as record batches."""
        schema = self.schema(batch.schema.names)
        finished = np.flatnonzero(regular)
        if self._is_mixed(batch.schema.names):
            return self._records(batch, items, written)
        whole = [pa.RecordBatch.from_arrays(columns, schema=schema)] if columns else []
        others = (
            [pa.RecordBatch.from_arrays(self._columns_of(items, batch.schema.names), schema=schema)] if items else []
        )
        if not whole or not len(finished):
            return self._with_kept(batch, others, written)
        order = np.sort(np.concatenate([finished, written]))
        # Where each row comes from: its own place in the batch, or, after all of that, its place among the others.
        source = np.arange(len(batch))
        source[written] = len(batch) + np.arange(len(written))
        return self._with_kept(batch, _gathered(whole + others, source[order]), order)

    def _records(self, batch: Any, items: Sequence[Item], written: Any) -> list[Any]:
        """Return *items*, the rows *written* of *batch*, with what travels along of each."""
        schema = self.schema(batch.schema.names)
        for field in batch.schema:
            schema = schema if field.name in schema.names else schema.append(field)
        rows = zip(items, self._rows(batch, written), strict=True)
        records = [self._extra(row, item) | self.job.target.record(item, self.job.side) for item, row in rows]
        return [pa.RecordBatch.from_pylist(records, schema=schema)] if records else []

    def _with_kept(self, batch: Any, pieces: list[Any], order: Any) -> list[Any]:
        """Return *pieces* with the columns of *batch* that travel along, of its rows *order*."""
        if not self.job.keep_columns or not pieces:
            return pieces
        _, read = self._kind(batch)
        left = [name for name in batch.schema.names if name not in read.union(self.schema(batch.schema.names).names)]
        kept = batch.select(left).take(pa.array(order))
        result, at = [], 0
        for piece in pieces:
            slice_ = kept.slice(at, len(piece))
            at += len(piece)
            fields = [*piece.schema, *slice_.schema]
            result.append(pa.RecordBatch.from_arrays([*piece.columns, *slice_.columns], schema=pa.schema(fields)))
        return result

    def _columns_of(self, items: Sequence[Item], names: Sequence[str]) -> list[Any]:
        """Return the target's columns for *items*."""
        target = self.job.target
        columns = []
        for part in target.columns.values():
            runs = [part_of(item, part, self.job.side) for item in items]
            turns = [turn for run in runs for turn in run]
            offsets = np.zeros(len(runs) + 1, np.int32)
            np.cumsum([len(run) for run in runs], out=offsets[1:])
            roles = pa.array([turn.mark.role for turn in turns], pa.string())
            contents = pa.array([turn.text.strip() for turn in turns], pa.string())
            columns.append(message_lists(offsets, roles, contents))
        if self._has_metadata(names):
            rows = [item.metadata() if isinstance(item, RedTeamAttempt) else {} for item in items]
            columns += [pa.array([row.get(name) for row in rows], kind) for name, kind in METADATA_TYPES.items()]
        return columns


def _has_null_items(column: Any) -> bool:
    lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    return bool(lists and pc.list_flatten(column).null_count)


def _text(column: Any) -> Any:
    """Return *column* as string or large_string, one of which it must be underneath; None if it is not."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(column.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    return None


def _gathered(batches: list[Any], source: Any) -> list[Any]:
    """Return the rows *source*, counted through *batches*, as record batches: as slices, or, if these are short, copied."""
    cuts = np.flatnonzero(np.diff(source) != 1) + 1
    edges = [0, *cuts.tolist(), len(source)]
    if ROWS_PER_SLICE * len(cuts) > len(source):
        table = pa.Table.from_batches(batches).combine_chunks().take(pa.array(source))
        return list(table.combine_chunks().to_batches())
    first = len(batches[0])
    pieces = []
    for begin, end in pairwise(edges):
        at = int(source[begin])
        # A run that goes from one batch on into the next is two slices.
        inside = min(end - begin, first - at) if at < first else end - begin
        pieces.append(batches[0].slice(at, inside) if at < first else batches[1].slice(at - first, inside))
        if inside < end - begin:
            pieces.append(batches[1].slice(0, end - begin - inside))
    return pieces
