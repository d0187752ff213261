"""Polars, DuckDB and pandas: the Arrow call takes their tables, and what it returns becomes theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import turnparse
from engines.rows import Local


def through_polars(table: Any) -> tuple[Any, Callable[[Any], list[dict[str, Any]]]]:
    """Return *table* as a frame of Polars, and what makes rows of a table of Arrow by way of another."""
    polars: Any = pytest.importorskip("polars")
    return polars.from_arrow(table), lambda made: list(polars.from_arrow(made).to_dicts())


def through_duckdb(table: Any) -> tuple[Any, Callable[[Any], list[dict[str, Any]]]]:
    """Return *table* as a relation of DuckDB, and what makes rows of a table of Arrow by way of another."""
    duckdb: Any = pytest.importorskip("duckdb")
    connection = duckdb.connect()

    def rows(made: Any) -> list[dict[str, Any]]:
        relation = connection.from_arrow(made)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    return connection.from_arrow(table), rows


def through_pandas(table: Any) -> tuple[Any, Callable[[Any], list[dict[str, Any]]]]:
    """Return *table* as a frame of pandas, and what makes rows of a table of Arrow by way of another."""
    pytest.importorskip("pandas")

    def rows(made: Any) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = made.to_pandas().to_dict("records")
        # Lists of Arrow are arrays of NumPy there.
        return [
            {name: value.tolist() if hasattr(value, "tolist") else value for name, value in record.items()}
            for record in records
        ]

    return table.to_pandas(), rows


@pytest.mark.parametrize("through", [through_polars, through_duckdb, through_pandas])
def test_the_rows_are_those_of_the_local_runner(
    local: Local, through: Callable[[Any], tuple[Any, Callable[[Any], list[dict[str, Any]]]]]
) -> None:
    """Rows are written and set aside as by `turnparse.convert`, in the order of the input, there and back again."""
    table, rows = through(local.table)
    result = turnparse.convert_table(table, keep_columns=True)

    assert {row["id"]: row for row in rows(result.rows)} == local.written
    assert [row["id"] for row in rows(result.rows)] == [*local.written]
    aside = {row["row"]: {key: row[key] for key in ("codes", "message", "raw")} for row in rows(result.set_aside)}
    assert aside == local.aside
    assert all(isinstance(value, str) for value in rows(result.rows)[0]["prompt"][0].values())
