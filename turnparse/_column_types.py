"""Types of columns that travel along from JSON into Arrow, where each column has one type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from turnparse._json_values import dumped

JSON_TEXT: Final = "JSON"
"""In place of a type: the column holds each value as JSON text."""

MOST_NESTED: Final = 16
"""Levels of lists and objects in a column of Arrow: with 50, Parquet files are written that cannot be read again."""

EXACT_BITS: Final = {16: 11, 32: 24, 64: 53}
"""{width of a float: bits of an integer that it holds exactly}."""


def type_of_values(values: Sequence[Any]) -> Any:
    """Return the Arrow type for a column of JSON *values*, or `JSON_TEXT` where no column can hold them.

    The type is that of the first that is not null, widened by the others: integers and floats together are floats, objects
    have the keys of all. A column of nulls is one of strings: most are. An object without keys, which
    Parquet does not have, and what is nested deep, are JSON text.
    """
    # One level after another, not by recursion: a row may be nested a thousand levels deep.
    level = list(values)
    for _ in range(MOST_NESTED):
        level = list(_items(level))
        if not level:
            kind = _type_of(values)
            return JSON_TEXT if _is_void(kind) else kind
    return JSON_TEXT


def _items(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, dict)):
            yield from value.values() if isinstance(value, dict) else value


def _type_of(values: Sequence[Any]) -> Any:
    there = [value for value in values if value is not None]
    first = there[0] if there else ""
    if isinstance(first, bool):
        return pa.bool_()
    if isinstance(first, (int, float)):
        numbers = [value for value in there if isinstance(value, (int, float)) and not isinstance(value, bool)]
        return pa.int64() if all(isinstance(number, int) for number in numbers) else pa.float64()
    if isinstance(first, list):
        return pa.list_(_type_of([item for value in there if isinstance(value, list) for item in value]))
    if isinstance(first, dict):
        objects = [value for value in there if isinstance(value, dict)]
        keys = dict.fromkeys(key for value in objects for key in value)
        return pa.struct([(key, _type_of([value[key] for value in objects if key in value])) for key in keys])
    return pa.string()


def _is_void(kind: Any) -> bool:
    """Tell whether there is an object without keys in a type."""
    if pa.types.is_list(kind):
        return _is_void(kind.value_type)
    return bool(pa.types.is_struct(kind)) and (not len(kind) or any(_is_void(field.type) for field in kind))


def fits(value: Any, kind: Any) -> bool:
    """Tell whether a column of type *kind*, or of `JSON_TEXT`, holds a JSON *value* without loss; a missing key is null."""
    if value is None:
        return True
    if kind == JSON_TEXT:
        return _text(value) is not None
    if pa.types.is_dictionary(kind):
        return fits(value, kind.value_type)
    match value:
        case bool():
            held = pa.types.is_boolean(kind)
        case int():
            held = _fits_integer(value, kind)
        case float():
            held = pa.types.is_floating(kind) and math.isfinite(value) and _is_exact(value, kind)
        case list():
            lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
            held = lists and all(fits(item, kind.value_type) for item in value)
        case dict():
            types = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
            held = bool(types) and value.keys() <= types.keys()
            held = held and all(fits(item, types[key]) for key, item in value.items())
        case str():
            held = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        case _:
            held = _is_of(value, kind)
    return bool(held)


def _is_of(value: Any, kind: Any) -> bool:
    """Tell whether a value that JSON does not have, from another table, is one of type *kind*."""
    try:
        return bool(pa.scalar(value, kind).as_py() == value)
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return False


def is_writable(kind: Any) -> bool:
    """Tell whether Parquet has a type for columns of *kind*."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return is_writable(kind.value_type)
    if pa.types.is_struct(kind):
        return bool(len(kind)) and all(is_writable(field.type) for field in kind)
    return not (pa.types.is_union(kind) or pa.types.is_interval(kind))


def _fits_integer(value: int, kind: Any) -> bool:
    bits = int(getattr(kind, "bit_width", 0)) if pa.types.is_integer(kind) or pa.types.is_floating(kind) else 0
    if not bits:
        return False
    if pa.types.is_floating(kind):
        return value.bit_length() <= EXACT_BITS[bits]
    lowest = -(1 << (bits - 1)) if pa.types.is_signed_integer(kind) else 0
    return lowest <= value < lowest + (1 << bits)


def _is_exact(value: float, kind: Any) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.dtype(f"f{kind.bit_width // 8}").type(value) == value)


def arrow_type(kind: Any) -> Any:
    """Return the type that a column of *kind* has in Arrow."""
    return pa.string() if kind == JSON_TEXT else kind


def column_of(values: Sequence[Any], kind: Any) -> Any:
    """Return *values*, all of which fit, as a `pyarrow.Array`."""
    if kind == JSON_TEXT:
        return pa.array([None if value is None else _text(value) for value in values], pa.string())
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def _text(value: Any) -> str | None:
    """Return *value* as JSON text; None if it is nested too deeply, or holds a number that JSON does not."""
    try:
        return dumped(value).decode().removesuffix("\n")
    except (ValueError, RecursionError):
        return None
