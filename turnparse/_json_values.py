"""JSON values: read and written exactly, also where the fast libraries do not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

MOST_BRACKETS: Final = 100
"""Opening brackets of a value that Python's own JSON can surely go through, wherever it is called from: it is recursive."""


def on_a_fresh_stack(function: Callable[[Any], Value], argument: Any) -> Value:
    """Return ``function(argument)``, which is recursive: how deep it can go then does not hang on who calls it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, argument).result()


def exactly(data: bytes) -> Any:
    """Return the JSON value that *data* is, its integers exact.

    Raises:
        ValueError: if it is none, or holds NaN, or a lone surrogate, which no UTF-8 file can.
        RecursionError: if it is nested too deeply.
    """
    if data.count(b"[") + data.count(b"{") > MOST_BRACKETS:
        return on_a_fresh_stack(_loaded, data)
    return _loaded(data)


def _loaded(data: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    value = json.loads(data.decode("utf-8"), parse_constant=refuse, parse_int=_integer)
    json.dumps(value, ensure_ascii=False, default=as_json).encode("utf-8")
    return value


def _integer(digits: str) -> int | Decimal:
    """Return an integer; of so many digits that Python makes no `int` of them (4,300) a decimal number, which is as exact."""
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def dumped(record: Any) -> bytes:
    """Return *record*, or any value, as a line of JSON, its end included.

    Raises:
        ValueError: if it holds a number that JSON cannot write.
        RecursionError: if it is nested too deeply to be written.
    """
    import orjson

    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE, default=as_json)
    except TypeError:
        # Of numbers beyond 64 bits, and of more than 254 levels, orjson writes none.
        return on_a_fresh_stack(_slowly_dumped, record)


def _slowly_dumped(record: Any) -> bytes:
    line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=as_json)
    return line.encode() + b"\n"


def as_json(value: Any) -> str:
    """Return a value of a kind that JSON does not have as text: bytes as base64, all others as `str` has them."""
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)


def json_name(value: object) -> str:
    """Return what JSON calls a value of the type of *value*."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return type(value).__name__
