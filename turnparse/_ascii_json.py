"""JSON in ASCII: whatever it tells of, a terminal may print it as it is."""

from __future__ import annotations

import json
from typing import Any


def ascii_json(value: Any, indent: int | None = None) -> str:
    """Return *value* as JSON in printable ASCII, and line feeds where it is to be indented; lone surrogates included."""
    # The one control character that JSON lets stand.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
