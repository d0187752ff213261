"""The counts of a conversion."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import attrs

from turnparse._codes import CODES
from turnparse._model import Relation
from turnparse._near_labels import NearLabels


@attrs.define
class Summary:
    """What became of the rows. ``rows_in == rows_out + rows_set_aside``, always.

    Attributes:
        rows_in: rows read.
        rows_out: rows of the input that were written.
        rows_set_aside: rows that were not, each with its reason.
        records_out: records written; a target may write two for one row.
        blank_lines: lines of white space only; they are no rows.
        diagnostics: {code: rows that carry it at least once, before policies or after}.
        relations: {relation: pairs that have it after policies}.
        near_labels: what may be meant as labels, if over half of the rows have no turns; else None.
    """

    rows_in: int = 0
    rows_out: int = 0
    rows_set_aside: int = 0
    records_out: int = 0
    blank_lines: int = 0
    diagnostics: Counter[str] = attrs.field(factory=Counter)
    relations: Counter[str] = attrs.field(factory=Counter)
    near_labels: NearLabels | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON has it: codes and relations in the order of their tables."""
        counts = attrs.asdict(attrs.evolve(self, near_labels=None))
        del counts["near_labels"]
        return {
            **counts,
            "diagnostics": {code: self.diagnostics[code] for code in CODES if code in self.diagnostics},
            "relations": {name: self.relations[name] for name in get_args(Relation) if name in self.relations},
            **({} if self.near_labels is None else {"near_labels": self.near_labels.as_dict()}),
        }

    def add(self, other: Summary) -> None:
        """Add the counts of *other*; what may be meant as labels is to be told anew."""
        for field in attrs.fields(Summary):
            if field.name != "near_labels":
                setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
