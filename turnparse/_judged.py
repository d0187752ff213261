"""What is known of the rows of a batch, once they are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
import pyarrow as pa

from turnparse._buffers import Mask
from turnparse._columns import Finished
from turnparse._errors import RowError
from turnparse._job import Judgement
from turnparse._near_labels import Words
from turnparse._pair_columns import SecondLook
from turnparse._parts import Parts
from turnparse._policies import Item
from turnparse._summary import Summary
from turnparse._table_sources import row_of

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

Original = Mapping[str, Any] | RowError
"""A row as JSON has it, or why it could not be read."""


class Originals(Protocol):
    """The rows of a batch as JSON has them, by their places."""

    def __getitem__(self, index: int, /) -> Original: ...


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
class Judged:
    """What is known of the rows of a batch.

    Attributes:
        batch: the rows; a `pyarrow.RecordBatch`.
        originals: the rows as JSON has them, where they were decoded one by one; else None.
        regular: which rows the columns reader finished; length rows.
        parts: what these rows say; None if there are none. Of rows that are not regular it says something or other.
        metadata: the metadata of attempts, if the batch has it; each of length rows, as *parts*.
        again: the rows that the columns reader finished at a second look.
        written: the other rows that are to be written, as places in the batch, ascending.
        judgements: what was made of each of *written*.
        refused: the rows that are set aside, in order.
        counts: what became of them all, but for rows written and set aside, and why: see `settled`.
        near: for each of the first rows without turns, the words that may be meant as labels.
    """

    batch: Any
    originals: Originals | None
    regular: Mask
    parts: Parts | None
    metadata: list[Any]
    again: SecondLook
    written: list[int]
    judgements: list[Judgement]
    refused: list[Refused]
    counts: Summary
    near: list[Words]

    @property
    def finished(self) -> Mask:
        """Which rows were finished by columns, at the first look or the second; length rows."""
        finished = self.regular.copy()
        finished[self.again.rows] = True
        return finished

    @property
    def items(self) -> list[Item]:
        """The rows of *written*, mended."""
        return [judgement.item for judgement in self.judgements if judgement.item is not None]

    def row(self, index: int) -> Mapping[str, Any]:
        """Return row *index* as JSON has it; it must not be one that could not be read."""
        if self.originals is None:
            return row_of(self.batch, index)
        original = self.originals[index]
        return {} if isinstance(original, RowError) else original

    def without(self, misfits: Mapping[int, Judgement]) -> Judged:
        """Return the same rows but with *misfits*, {place in the batch: why}, set aside too."""
        if not misfits:
            return self
        regular = self.regular.copy()
        regular[list(misfits)] = False
        left = [at for at, index in enumerate(self.written) if index not in misfits]
        codes = dict(zip(self.written, (judgement.codes for judgement in self.judgements), strict=True))
        refused = [
            Refused(index, attrs.evolve(judgement, codes=[*dict.fromkeys([*judgement.codes, *codes.get(index, [])])]))
            for index, judgement in misfits.items()
        ]
        counts = Summary()
        counts.add(self.counts)
        for judgement in misfits.values():
            counts.diagnostics[judgement.codes[0]] += 1
        return attrs.evolve(
            self,
            regular=regular,
            again=self.again.without(misfits),
            written=[self.written[at] for at in left],
            judgements=[self.judgements[at] for at in left],
            refused=sorted(self.refused + refused, key=lambda one: one.index),
            counts=counts,
        )

    def settled(self, records: int) -> Summary:
        """Return the counts, with the rows written and set aside, and why, where so many *records* are written of a row."""
        self.counts.rows_set_aside = len(self.refused)
        self.counts.rows_out = len(self.batch) - len(self.refused)
        self.counts.records_out = self.counts.rows_out * records
        self.counts.reasons = Counter(one.judgement.codes[0] for one in self.refused)
        return self.counts


@attrs.frozen
class Regular:
    """What the columns reader makes of a batch.

    Attributes:
        finished: which rows are regular, and the codes that are counted of them.
        parts: what they say; None if there are none.
        metadata: the metadata of attempts, if the batch has it; each of length rows.
        again: the rows that are finished at a second look.
    """

    finished: Finished
    parts: Parts | None = None
    metadata: list[Any] = attrs.field(factory=list)
    again: SecondLook = attrs.field(factory=SecondLook.none)
