"""Keys that stand twice in a row of JSON: JSON allows it, and every reader takes another of them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from turnparse._errors import RowError, escape
from turnparse._json_values import on_a_fresh_stack

STRINGS: Final = re.compile(rb""""([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+(:)?""", re.DOTALL)
"""Each string of sound JSON, and a colon if it is a key."""


SPACED: Final = re.compile(rb'"[ \t\r\n]+:')
"""A key that does not stand right before its colon."""


def may_repeat(data: bytes, row: Mapping[str, Any]) -> bool:
    """Tell whether a key may stand twice in an object of JSON, at any depth: hardly ever where it does not.

    Args:
        data: the object, known to be sound.
        row: the same, decoded.
    """
    # If the text has no more keys than were decoded, each stands once.
    return data.count(b'":') != _count(row) or SPACED.search(data) is not None


def require_once(data: bytes, keys: Collection[str] | None) -> None:
    """Check that none of *keys* stands twice in an object of JSON.

    Args:
        data: the object, known to be sound.
        keys: keys of the object itself; None for all, those of objects inside it included.

    Raises:
        RowError: if one does.
    """
    spelt = [key for key, colon in STRINGS.findall(data) if colon]
    if len(set(spelt)) == len(spelt) and not any(b"\\" in key for key in spelt):
        return
    try:
        twice = on_a_fresh_stack(_twice, data) if data.count(b"{") + data.count(b"[") > SHALLOW else _twice(data)
    except RecursionError:
        msg = "expected a row in which no key stands twice, found one that is nested too deeply to be looked through"
        raise RowError(msg, code="bad-json") from None
    found = next((key for top, key in twice if keys is None or (top and key in keys)), None)
    if found is not None:
        msg = f"expected each key once, found {escape(found)!r} twice; leave one of them"
        raise RowError(msg, code="duplicate-key")


def _count(row: Mapping[str, Any]) -> int:
    """Return how many keys there are in *row*, at any depth."""
    count = 0
    waiting: list[Any] = [row]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(value)
            waiting += [inner for inner in value.values() if isinstance(inner, (dict, list))]
        else:
            waiting += [inner for inner in value if isinstance(inner, (dict, list))]
    return count


SHALLOW: Final = 100
"""Brackets of a row that can be gone through on any stack."""


def _twice(data: bytes) -> list[tuple[bool, str]]:
    """Return the keys that stand twice in an object, and whether they are those of the outermost."""
    found: list[list[str]] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        # An object is come to after all that are in it.
        found.append([key for key, _ in pairs if key in seen or seen.add(key)])  # type: ignore[func-returns-value]

    json.loads(data.decode("utf-8", "surrogatepass"), object_pairs_hook=look)
    *inner, outer = found
    return [(True, key) for key in outer] + [(False, key) for keys in inner for key in keys]
