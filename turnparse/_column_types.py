"""Types of columns that travel along from JSON into Arrow, where each column has one type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

LONGEST_INTEGER: Final = 63
"""Bits of a number in a column of integers, its sign not counted."""

EXACT_BITS: Final = 53
"""Bits of an integer that a column of floats holds exactly."""


def type_of(values: Sequence[Any]) -> Any:
    """Return the Arrow type for a column of JSON *values*: of the first that is not null, widened by the others.

    Integers and floats together are floats; of lists and objects the items are looked at likewise. A column of
    nulls is one of strings: most are.
    """
    there = [value for value in values if value is not None]
    if not there:
        return pa.string()
    first = there[0]
    if isinstance(first, bool):
        return pa.bool_()
    if isinstance(first, (int, float)):
        numbers = [value for value in there if isinstance(value, (int, float)) and not isinstance(value, bool)]
        return pa.int64() if all(isinstance(number, int) for number in numbers) else pa.float64()
    if isinstance(first, list):
        return pa.list_(type_of([item for value in there if isinstance(value, list) for item in value]))
    if isinstance(first, dict):
        objects = [value for value in there if isinstance(value, dict)]
        keys = dict.fromkeys(key for value in objects for key in value)
        fields = [(key, type_of([value[key] for value in objects if key in value])) for key in keys]
        # Parquet has no struct without fields.
        return pa.struct(fields) if fields else pa.string()
    return pa.string()


def fits(value: Any, kind: Any) -> bool:
    """Tell whether a column of type *kind* holds a JSON *value* without loss."""
    match value:
        case None:
            held = True
        case bool():
            held = pa.types.is_boolean(kind)
        case int():
            bits = EXACT_BITS if pa.types.is_float64(kind) else LONGEST_INTEGER
            held = value.bit_length() <= bits and (pa.types.is_float64(kind) or pa.types.is_int64(kind))
        case float():
            held = pa.types.is_float64(kind)
        case list():
            held = pa.types.is_list(kind) and all(fits(item, kind.value_type) for item in value)
        case dict() if pa.types.is_struct(kind):
            types = {field.name: field.type for field in kind}
            held = value.keys() <= types.keys() and all(fits(item, types[key]) for key, item in value.items())
        case dict():
            held = not value and pa.types.is_string(kind)
        case _:
            held = pa.types.is_string(kind)
    return bool(held)


def column_of(values: Sequence[Any], kind: Any) -> Any:
    """Return *values*, all of which fit, as a `pyarrow.Array` of type *kind*."""
    if pa.types.is_string(kind):
        values = ["{}" if isinstance(value, dict) else value for value in values]
    return pa.array(values, kind)
