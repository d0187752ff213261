"""A target's page: its columns, its rules, a row as an example, and how its consumer loads an output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
import pyarrow as pa

from turnparse._cell_columns import type_of
from turnparse._cells import System
from turnparse._dialect import Dialect
from turnparse._errors import TurnparseError
from turnparse._render import render
from turnparse._side_files import filled, shown
from turnparse._table import convert_table
from turnparse._target import Rule, Target, Training

QUESTION = "Is a tomato a fruit?"
CHOSEN = "Botanically, yes: a berry."
REJECTED = "No."
OUTPUT = {False: "train.jsonl", True: "train.parquet"}
"""An output's name, by whether its consumer reads Parquet alone."""

TRAINING: Final[dict[Training, str]] = {
    "supervised": "supervised, a model learns to say what is written",
    "preference": "preference, a model learns which of two to prefer",
    "prompts": "prompts, a model is to answer them",
    "": "none in particular",
}
"""{what is trained with a target: how its page says so}."""


def page(target: Target, dialect: Dialect) -> str:
    """Return the page of *target* as text, with examples in *dialect*."""
    return "\n".join(_lines(target, dialect)) + "\n"


def _lines(target: Target, dialect: Dialect) -> Iterator[str]:
    output = OUTPUT["Parquet" in target.about]
    yield f"{target.name}: {target.about}"
    yield f"  {target.link}"
    yield ""
    yield f"rows it takes: {', '.join(target.takes)}"
    yield f"training: {TRAINING[target.trains]}"
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
        yield f"side file {filled(side.name, output)}:"
        yield from _indented(shown(side.text, output))
    if target.loading:
        yield ""
        yield "loading:"
        yield from _indented(shown(target.loading, output))


def _demand(rule: Rule) -> str:
    if rule.outside:
        return f"the last content of {rule.part} is not found in {rule.outside!r}"
    if rule.differs:
        return "the last contents of both sides differ"
    alike = f", or, after a system prompt that --system adds to all rows, {rule.alike}" if rule.alike else ""
    return f"{rule.part} =~ {rule.pattern}{alike}"


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
    records: list[dict[str, Any]] = convert_table(pair, target, dialect=dialect).rows.to_pylist()
    absent = {name for name, cell in target.columns.items() if isinstance(cell, System) and cell.optional}
    return [{name: value for name, value in record.items() if name not in absent} for record in records]
