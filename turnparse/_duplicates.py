"""Keys that stand twice in a row of JSON: JSON allows it, and every reader takes another of them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, Final

from turnparse._errors import RowError, escape
from turnparse._json_values import on_a_fresh_stack

STRINGS: Final = re.compile(rb""""([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+(:)?""", re.DOTALL)
"""Each string of sound JSON, and a colon if it is a key."""


def require_once(data: bytes, keys: Collection[str] | None) -> None:
    """Check that none of *keys* stands twice in an object of JSON.

    Args:
        data: the object, known to be sound.
        keys: keys of the object itself; None for all, those of objects inside it included.

    Raises:
        RowError: if one does.
    """
    spelt = [key for key, colon in STRINGS.findall(data) if colon]
    # Most rows have each key once, and spell it without escapes: of these no object is made.
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
