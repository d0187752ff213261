"""Judging Arrow batches: regular rows by the columns reader, all others by the per-row calls."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from turnparse._advisory_columns import Sieve
from turnparse._buffers import Mask, keep_memory
from turnparse._columns import REPORTED, Finished, Markers, finish_texts, read_column, read_pairs
from turnparse._contents import TextColumn
from turnparse._errors import RowError, TurnparseError, escape
from turnparse._job import Job, Judgement, unread
from turnparse._judged import METADATA_TYPES, Judged, Original, Originals, Refused, Regular
from turnparse._model import Message
from turnparse._near_labels import MOST_ROWS, NearFinder, NearLabels, NearMisses, Words
from turnparse._pair_columns import SecondLook, look_again, worth_it
from turnparse._parts import RegularPairs, RegularTexts
from turnparse._red_team import KEYS, METADATA, MISSPELT, TRANSCRIPT
from turnparse._render import render
from turnparse._rows import unknown
from turnparse._rule_columns import broken_by
from turnparse._summary import Summary
from turnparse._table_sources import rows_of
from turnparse._target import Kind, kind_of
from turnparse._token_columns import rows_with_tokens

NO_TURNS: Final = "no-turns"
"""The code of rows that are looked through for what may be meant as labels."""


class BatchConverter:
    """Judges the batches of one run.

    Args:
        job: what is done with each row.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        keep_memory()

    @cached_property
    def markers(self) -> Markers | None:
        """The markers that the columns reader looks for; None if it cannot serve the dialect, or the run.

        It serves flat dialects in which no marker stands inside another, and finds no advisory codes.
        """
        table = self.job.dialect.table
        if not table.markers or not table.separable or self.job.diagnostics == "all" or self.job.back is not None:
            return None
        return Markers(table)

    @property
    def by_columns(self) -> bool:
        """Whether the columns reader serves the run."""
        return self.markers is not None

    @cached_property
    def takes_regular(self) -> bool:
        """Whether the target takes a regular row as it is, but for its rules: one stands for all."""
        if self.job.target.writes_text and not self.job.dialect.table.apart:
            return False
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
        return bool(taken) and not any(set(one.codes) - {"target-rule"} for one in taken)

    def has_metadata(self, names: Sequence[str]) -> bool:
        """Tell whether metadata of attempts is written of a table with the columns *names*."""
        columns = self.job.columns
        if self.job.back is not None:
            return self.job.target.metadata and not KEYS.isdisjoint(names)
        attempts = columns.transcript in names and (columns.transcript == TRANSCRIPT or not KEYS.isdisjoint(names))
        return self.job.target.metadata and attempts

    def judge(self, batch: Any, originals: Originals | None = None, *, check: bool = False) -> Judged:
        """Return what is to become of the rows of *batch*, a `pyarrow.RecordBatch`.

        Args:
            batch: the columns of texts that are read, and what else there is.
            originals: the rows as JSON has them, if they were decoded one by one; where one is no row of the batch's
                kind the batch holds null.
            check: whether the texts that `checks` names are still to be looked through.
        """
        found = self._regular(batch, originals, check=check)
        counts = Summary(rows_in=len(batch))
        regular, refused = self._ruled(found, counts)
        again = self._ruled_again(found.again, counts)
        by_columns = regular.copy()
        by_columns[again.rows] = True
        settled = by_columns.copy()
        settled[[one.index for one in refused]] = True
        odd = (~settled).nonzero()[0]
        written: list[int] = []
        judgements: list[Judgement] = []
        near: list[Words] = []
        for index, row in zip(odd.tolist(), self._odd_rows(batch, originals, odd), strict=True):
            judgement = self._judged(row)
            counts.diagnostics.update(judgement.codes)
            if judgement.item is not None:
                counts.kinds[kind_of(judgement.item)] += 1
            if NO_TURNS in judgement.codes and len(near) < MOST_ROWS and not isinstance(row, RowError):
                near.append(self._near_labels(row))
            if judgement.relation is not None:
                counts.relations[judgement.relation] += 1
            if judgement.item is None or judgement.message:
                refused.append(Refused(index, judgement))
            else:
                written.append(index)
                judgements.append(judgement)
        refused.sort(key=lambda one: one.index)
        if by_columns.any():
            clashes = self._clashes(batch, originals, by_columns)
            if clashes:
                counts.diagnostics["column-clash"] += clashes
        self._count(batch, len(batch) - len(odd), len(again.rows), counts)
        return Judged(
            batch, originals, regular, found.parts, found.metadata, again, written, judgements, refused, counts, near
        )

    def odd(self, batch: Any, originals: Originals | None = None) -> Iterator[tuple[int, Judgement]]:
        """Yield the rows of *batch* that may carry a code, in order, each with its place and what is made of it.

        All others are regular and carry none.

        Args:
            batch: as for `judge`.
            originals: likewise.
        """
        clean = self._clean(batch, originals)
        odd = (~clean).nonzero()[0]
        for index, row in zip(odd.tolist(), self._odd_rows(batch, originals, odd), strict=True):
            yield index, self._judged(row)

    def _clean(self, batch: Any, originals: Originals | None) -> Mask:
        """Return which rows of *batch* are regular, and carry no code of those that are looked for; length rows."""
        if self.job.diagnostics == "all":
            return self._without_advisory(batch, originals)
        finished = self._regular(batch, originals, check=False).finished
        clean = finished.regular.copy()
        for rows in finished.codes.values():
            clean[rows] = False
        return clean

    def _without_advisory(self, batch: Any, originals: Originals | None) -> Mask:
        """Return the same where advisory codes are looked for: none of them is missed, though rows without one may be left out."""
        sieve = Sieve.of(self.job.dialect.table)
        if sieve is None:
            return np.zeros(len(batch), np.bool_)
        clean = self._structural._clean(batch, originals)  # noqa: SLF001  # of this very class
        for name in self._texts_of(batch.schema.names) if clean.any() else ():
            clean &= ~sieve.rows(_text(batch.column(name)))
        return clean

    @cached_property
    def _structural(self) -> BatchConverter:
        """The same, but for advisory codes, which it does not look for."""
        return BatchConverter(attrs.evolve(self.job, diagnostics="structural"))

    def _texts_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that hold the texts of regular rows, in a batch with the columns *names*."""
        columns = self.job.columns
        if self.kind(names)[0] == "pair":
            return columns.chosen, columns.rejected
        return tuple([name for name in (columns.transcript, columns.text) if name in names][:1])

    def _odd_rows(self, batch: Any, originals: Originals | None, odd: Any) -> Sequence[Original]:
        """Return the rows of *batch* that are looked at one by one."""
        if originals is not None:
            return [originals[index] for index in odd.tolist()]
        if self.job.back is None and self.kind(batch.schema.names)[0] is None:
            # All for the same reason, which names the columns: those that are of no use, too.
            return [unknown(batch.schema.names, self.job.columns)] * len(odd)
        return self.rows(batch, odd)

    def _count(self, batch: Any, by_columns: int, again: int, counts: Summary) -> None:
        """Count the kinds and relations of so many rows of *batch* that were finished by columns, of which *again* at a second look."""
        kind, _ = self.kind(batch.schema.names)
        if kind is not None and by_columns:
            counts.kinds[kind] += by_columns
        if self.job.columns.chosen in batch.schema.names and by_columns > again:
            counts.relations["last-turn"] += by_columns - again

    def _ruled(self, found: Regular, counts: Summary) -> tuple[Mask, list[Refused]]:
        """Return which regular rows are written, and those that break a rule; add to *counts* what is known of both."""
        regular, parts = found.finished.regular, found.parts
        refused: list[Refused] = []
        if parts is not None and self.job.target.rules:
            regular = regular.copy()
            counted = np.zeros(len(regular), np.bool_)
            for rows in found.finished.codes.values():
                counted[rows] = True
            reported = np.zeros(len(regular), np.bool_)
            for rule in self.job.target.rules:
                broken = broken_by(rule, parts, system=self.job.system is not None) & regular
                if not broken.any():
                    continue
                if not self.job.enforces(rule):
                    reported |= broken
                    continue
                regular &= ~broken
                # What carries codes besides is told of row by row.
                judgement = self.job.refusal(rule)
                refused += [Refused(index, judgement) for index in np.flatnonzero(broken & ~counted).tolist()]
            # A row that breaks a rule is counted once, however many it breaks.
            ruled = int((reported & regular).sum()) + len(refused)
            if ruled:
                counts.diagnostics["target-rule"] += ruled
        for code, rows in found.finished.codes.items():
            if count := int(regular[rows].sum()):
                counts.diagnostics[code] += count
        return regular, refused

    def _ruled_again(self, again: SecondLook, counts: Summary) -> SecondLook:
        """Return what of a second look is written: without rows that break a rule, if it is enforced."""
        if again.parts is None:
            return again
        broken = np.zeros(len(again.rows), np.bool_)
        reported = broken.copy()
        for rule in self.job.target.rules:
            found = broken_by(rule, again.parts, system=self.job.system is not None)
            if self.job.enforces(rule):
                broken |= found
            else:
                reported |= found
        left = again.of(~broken)
        if count := int((reported & ~broken).sum()):
            counts.diagnostics["target-rule"] += count
        for code, carries in left.codes.items():
            counts.diagnostics[code] += carries
        counts.relations.update(left.relations)
        return left

    def checks(self, name: str, batch: Any) -> bool:
        """Tell whether `judge` itself looks through the texts of the column *name* of *batch*: that they are UTF-8.

        It does so with the sides of pairs: what they share is looked through once, while it is read.
        """
        pair = {self.job.columns.chosen, self.job.columns.rejected}
        return name in pair and pair <= set(batch.schema.names) and self.by_columns and not self.job.keep_columns

    def is_mixed(self, names: Sequence[str]) -> bool:
        """Tell whether what travels along is another matter for each row, since rows may be of several kinds."""
        columns = self.job.columns
        kinds = [(columns.chosen, columns.rejected), (columns.transcript,), (columns.text,)]
        # Half of a pair's columns is no kind, but it is none that a row of another kind reads either.
        return self.job.keep_columns and sum(set(kind) <= set(names) for kind in kinds) > 1

    def _clashes(self, batch: Any, originals: Originals | None, regular: Mask) -> int:
        """Return how many regular rows have a column to travel along of the name of one that is written."""
        if not self.job.keep_columns:
            return 0
        kind, read = self.kind(batch.schema.names)
        written = self.job.written(kind) if kind else set()
        if originals is None:
            clash = not written.isdisjoint(set(batch.schema.names) - read)
            return int(regular.sum()) if clash else 0
        rows = (originals[index] for index in np.flatnonzero(regular).tolist())
        return sum(not isinstance(row, RowError) and not written.isdisjoint(set(row) - read) for row in rows)

    def kind(self, names: Sequence[str]) -> tuple[Kind | None, set[str]]:
        """Return the kind that regular rows of a batch with columns *names* have, and the columns that are read of them."""
        columns = self.job.columns
        if columns.chosen in names and columns.rejected in names:
            return "pair", {columns.chosen, columns.rejected}
        if columns.transcript in names:
            if columns.transcript != TRANSCRIPT and KEYS.isdisjoint(names):
                return "transcript", {columns.transcript}
            return "red-team", {columns.transcript, *(KEYS if self.job.target.metadata else ())}
        return ("transcript", {columns.text}) if columns.text in names else (None, set())

    def _near_labels(self, row: Mapping[str, Any]) -> Words:
        """Return the words of a row without turns that may be meant as labels."""
        if self.job.back is not None:
            return ()
        return self.near.words(row[name] for name in self.job.columns.read_by(row))

    @cached_property
    def near(self) -> NearFinder:
        """What finds words that may be meant as labels."""
        return NearFinder(self.job.dialect.table)

    def hint(self, counts: Summary, near: NearMisses) -> NearLabels | None:
        """Return what may be meant as labels in a run, if most of its rows have no turns."""
        return near.hint(self.near) if 2 * counts.diagnostics[NO_TURNS] > counts.rows_in else None

    def _judged(self, row: Original) -> Judgement:
        if isinstance(row, RowError):
            return unread(row)
        try:
            item = self.job.read(row)
        except RowError as error:
            return unread(error)
        return self.job.judge(item, self.job.kept(row, item))

    def rows(self, batch: Any, index: Any) -> list[dict[str, Any]]:
        """Return the rows *index* of *batch* as JSON has them."""
        if not len(index):
            return []
        odd = self._read(batch).take(pa.array(index))
        odd.validate(full=True)
        return rows_of(odd)

    def _read(self, batch: Any) -> Any:
        """Return *batch* without columns that are of no use to anybody, since they may be of any type."""
        if self.job.keep_columns or self.job.back is not None:
            return batch
        known = {*attrs.astuple(self.job.columns), *KEYS}
        return batch.select([name for name in batch.schema.names if name in known])

    @property
    def seeks_tokens(self) -> bool:
        """Whether something is done about control tokens: the rows that have one are read one by one then."""
        return self.job.policies["control-token"] != "keep"

    @cached_property
    def kept(self) -> frozenset[str]:
        """The codes that are only counted where the columns reader finds them: the policies do nothing about them."""
        return frozenset(code for code in REPORTED if self.job.policies[code] == "keep")

    @cached_property
    def counted(self) -> frozenset[str]:
        """The codes of which the policies only say that they are counted."""
        return frozenset(code for code, value in self.job.policies.items() if value in ("keep", "report"))

    def _regular(self, batch: Any, originals: Originals | None, *, check: bool) -> Regular:
        """Return which rows are regular, and what they say, with something or other in other rows; and more rows."""
        none = Regular(Finished.none(len(batch)))
        if self.markers is None or not self.takes_regular:
            return none
        if originals is None and self.is_mixed(batch.schema.names):
            return none
        kind, _ = self.kind(batch.schema.names)
        if kind == "pair":
            return self._regular_pairs(batch, self.markers, check=check)
        return none if kind is None else self._regular_texts(batch, self._texts_of(batch.schema.names)[0], kind)

    def _regular_pairs(self, batch: Any, markers: Markers, *, check: bool) -> Regular:
        target, side = self.job.target, self.job.side
        chosen, rejected = (_text(batch.column(name)) for name in (self.job.columns.chosen, self.job.columns.rejected))
        if chosen is None or rejected is None or "pair" not in target.takes:
            return Regular(Finished.none(len(batch)))
        sides = TextColumn.of(chosen), TextColumn.of(rejected)
        pairs = read_pairs(*sides, markers, whole=target.reads_whole, kept=self.kept, check=check)
        finished = pairs.finished.without_nulls(chosen, rejected)
        odd = Finished(pairs.turns.sound & ~finished.regular, {}).without_nulls(chosen, rejected).regular.nonzero()[0]
        if self.seeks_tokens:
            # A regular row has nothing before its last turns on one side that it does not have on the other.
            both = sides[0], pairs.responses, TextColumn.of(rejected.take(pa.array(odd)))
            first, last, others = map(rows_with_tokens, both)
            finished = finished.without(np.concatenate([first, last]))
            odd = np.setdiff1d(odd, np.concatenate([first, odd.take(others)]))
        again = SecondLook.none()
        if worth_it(sides, odd):
            again = look_again(chosen, rejected, odd, markers, side, self.counted)
        metadata = []
        if self.has_metadata(batch.schema.names):
            metadata = [pa.nulls(len(batch), kind) for kind in METADATA_TYPES.values()]
        return Regular(finished, RegularPairs(pairs, side), metadata, again)

    def _regular_texts(self, batch: Any, name: str, kind: Kind) -> Regular:
        none = Regular(Finished.none(len(batch)))
        texts = _text(batch.column(name))
        if texts is None or self.markers is None or kind not in self.job.target.takes:
            return none
        metadata = self._metadata(batch) if self.has_metadata(batch.schema.names) else []
        if metadata is None:
            return none
        turns = read_column(TextColumn.of(texts), self.markers)
        finished = finish_texts(turns, self.markers, self.kept).without_nulls(texts)
        if self.seeks_tokens:
            finished = finished.without(rows_with_tokens(turns.column))
        return Regular(finished, RegularTexts(turns, finished), metadata)

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


def warn_if_slow(converter: BatchConverter, calls: int = 1) -> None:
    """Say so, once, if the columns reader cannot serve a dialect, to the caller that so many *calls* lie between."""
    job = converter.job
    if not converter.by_columns and job.diagnostics != "all" and job.back is None:
        msg = f"the dialect {escape(job.dialect.name)} is not flat: its rows are read one by one"
        warnings.warn(msg, RuntimeWarning, stacklevel=2 + calls)
