"""Telling a text of JSON that was cut off from one that is damaged: all of the former could be the beginning of a value."""

from __future__ import annotations

import re
from typing import Final


def is_begun(text: bytes) -> bool:
    """Tell whether *text* is the beginning of a value of JSON and not all of it, so that what is missing may have been cut off."""
    opened = bytearray()
    wanted, cut = _VALUE
    position = 0
    while (match := wanted.match(text, position)) is not None:
        position = match.end()
        last = text[position - 1]
        if match.lastgroup == "key" or (match.lastgroup == "comma" and opened[-1] == _LIST):
            wanted, cut = _VALUE
        elif match.lastgroup == "comma":
            wanted, cut = _KEY
        elif match.lastgroup == "opening":
            opened.append(last)
            wanted, cut = _IN_LIST if last == _LIST else _IN_OBJECT
        else:
            if match.lastgroup == "closing":
                opened.pop()
            if not opened:
                return False
            wanted, cut = _AFTER_IN_LIST if opened[-1] == _LIST else _AFTER_IN_OBJECT
    return cut.fullmatch(text, position) is not None


_LIST: Final = ord("[")


def _state(wanted: bytes, cut: bytes = b"") -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    return re.compile(rb"\s*+(?:%b)" % wanted), re.compile(rb"\s*+(?:%b)?" % cut)


# A line feed ends a string, as for the splitter.
_STRING: Final = rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+'
_CUT_STRING: Final = _STRING + rb"\\?"
_CUT_SCALAR: Final = _CUT_STRING + rb"|-|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?"
_ANY: Final = rb"(?P<opening>[\[{])|(?P<scalar>" + _STRING + rb'"|-?\d[-+.\deE]*+|true|false|null)'
_NAME: Final = rb"(?P<key>" + _STRING + rb'"\s*+:)'
_CUT_NAME: Final = _STRING + rb'(?:\\|"\s*+)?'

_VALUE: Final = _state(_ANY, _CUT_SCALAR)
"""What may come next inside a value, and what may if the text is cut there; likewise below."""
_IN_LIST: Final = _state(_ANY + rb"|(?P<closing>\])", _CUT_SCALAR)
_IN_OBJECT: Final = _state(_NAME + rb"|(?P<closing>\})", _CUT_NAME)
_KEY: Final = _state(_NAME, _CUT_NAME)
_AFTER_IN_LIST: Final = _state(rb"(?P<comma>,)|(?P<closing>\])")
_AFTER_IN_OBJECT: Final = _state(rb"(?P<comma>,)|(?P<closing>\})")
