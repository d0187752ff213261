"""The counts of a conversion."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import attrs

from turnparse._codes import CODES
from turnparse._model import Relation
from turnparse._near_labels import NearLabels
from turnparse._target import Kind


@attrs.define
class Summary:
    """What became of the rows. ``rows_in == rows_out + rows_set_aside``, always.

    Attributes:
        rows_in: rows read.
        rows_out: rows of the input that were written.
        rows_set_aside: rows that were not, each with its reason.
        records_out: records written; a target may write two for one row.
        blank_lines: lines of white space only; they are no rows.
        kinds: {kind: rows that could be read as one: ``"pair"``, ``"red-team"`` or ``"transcript"``}.
        reasons: {code: rows that it set aside}; of several the first that the set-aside file names, so that they add up.
        diagnostics: {code: rows that carry it at least once, before policies or after}.
        relations: {relation: pairs that have it after policies}.
        near_labels: what may be meant as labels, if over half of the rows have no turns; else None.
    """

    rows_in: int = 0
    rows_out: int = 0
    rows_set_aside: int = 0
    records_out: int = 0
    blank_lines: int = 0
    kinds: Counter[str] = attrs.field(factory=Counter)
    reasons: Counter[str] = attrs.field(factory=Counter)
    diagnostics: Counter[str] = attrs.field(factory=Counter)
    relations: Counter[str] = attrs.field(factory=Counter)
    near_labels: NearLabels | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON has it: kinds, codes and relations in the order of their tables."""
        counts = attrs.asdict(attrs.evolve(self, near_labels=None))
        del counts["near_labels"]
        tables = {"kinds": get_args(Kind), "reasons": CODES, "diagnostics": CODES, "relations": get_args(Relation)}
        return {
            **counts,
            **{
                name: {key: counts[name][key] for key in table if key in counts[name]} for name, table in tables.items()
            },
            **({} if self.near_labels is None else {"near_labels": self.near_labels.as_dict()}),
        }

    def add(self, other: Summary) -> None:
        """Add the counts of *other*; what may be meant as labels is to be told anew."""
        for field in attrs.fields(Summary):
            if field.name != "near_labels":
                setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
