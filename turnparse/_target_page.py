"""A target's page: its columns, its rules, a row as an example, and how its consumer loads an output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from turnparse._cell_columns import type_of
from turnparse._dialect import Dialect
from turnparse._errors import TurnparseError
from turnparse._render import render
from turnparse._side_files import filled
from turnparse._table import convert_table
from turnparse._target import Rule, Target

QUESTION = "Is a tomato a fruit?"
CHOSEN = "Botanically, yes: a berry."
REJECTED = "No."
OUTPUT = "train.jsonl"


def page(target: Target, dialect: Dialect) -> str:
    """Return the page of *target* as text, with examples in *dialect*."""
    return "\n".join(_lines(target, dialect)) + "\n"


def _lines(target: Target, dialect: Dialect) -> Iterator[str]:
    yield f"{target.name}: {target.about}"
    yield f"  {target.link}"
    yield ""
    yield f"rows it takes: {', '.join(target.takes)}"
    if len(target.records) > 1:
        yield "records it writes of each: two"
    yield ""
    yield "columns:"
    for name, cell in target.columns.items():
        yield f"  {name}: {type_of(cell, None)}"
    if target.loss is not None:
        yield f"  with --loss, in each message: {target.loss.key}"
    if target.metadata:
        yield "  beside these the metadata of red-team attempts"
    yield ""
    yield "rules, on turns of the user (u), the assistant (a) and the system (s), capitals where a turn is empty:"
    yield from () if target.rules else ("  none",)
    for rule in target.rules:
        yield f"  {rule.name}: {_demand(rule)}"
        yield f"    {rule.because}" + ("; else there is no place for the row" if rule.schema else "")
    yield ""
    yield "example:"
    for record in example(target, dialect):
        yield f"  {orjson.dumps(record).decode()}"
    for side in target.side_files:
        yield ""
        yield f"side file {filled(side.name, OUTPUT)}:"
        yield from _indented(filled(side.text, OUTPUT))
    if target.loading:
        yield ""
        yield "loading:"
        yield from _indented(filled(target.loading, OUTPUT))


def _demand(rule: Rule) -> str:
    return "the last contents of both sides differ" if rule.differs else f"{rule.part} =~ {rule.pattern}"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in text.splitlines())


def example(target: Target, dialect: Dialect) -> list[dict[str, Any]]:
    """Return the records of a row of one question; none if the dialect cannot be written."""
    try:
        sides = [
            render([{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}], dialect=dialect)
            for answer in (CHOSEN, REJECTED)
        ]
    except TurnparseError:
        return []
    pair = pa.table({"chosen": sides[:1], "rejected": sides[1:]})
    records: list[dict[str, Any]] = convert_table(pair, target.name, dialect=dialect).rows.to_pylist()
    return records
