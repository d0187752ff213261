"""Cutting a JSON array into the texts of its elements, without parsing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Element = tuple[bytes, int]
"""The text of an element without surrounding white space, and the 1-based line where it starts."""


class ArraySplitter:
    """Takes a JSON array in pieces and gives its elements' texts as soon as they are whole.

    It looks at brackets, quotes and line feeds only, so an element that is not JSON costs only itself as long as its
    brackets and quotes are balanced. A line feed ends a string, since JSON allows none inside one.

    Attributes:
        line: the 1-based line that has been come to.
        closed: whether the array's closing bracket has been seen.
        rest: what was fed after that bracket.
    """

    _OUTSIDE: Final = re.compile(rb'["\[\]{},]')
    _INSIDE: Final = re.compile(rb'["\\\n]')

    def __init__(self, line: int) -> None:
        self.line = line
        self.closed = False
        self.rest = b""
        self._parts: list[bytes] = []
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._awaits_element = False

    def feed(self, data: bytes) -> Iterator[Element]:
        """Yield the elements that end in *data*, the next piece of the text."""
        begin = position = 0
        if self._escaped and data:
            position, self._escaped = 1, False
        while not self.closed:
            match = (self._INSIDE if self._in_string else self._OUTSIDE).search(data, position)
            if match is None:
                self._parts.append(data[begin:])
                return
            token, position = match[0], match.end()
            if self._in_string:
                if token == b"\\":
                    self._escaped = position == len(data)
                    position += 1
                else:
                    self._in_string = False
            elif token == b'"':
                self._in_string = True
            elif token in b"[{":
                self._depth += 1
                if self._depth == 1:
                    self._parts.append(data[begin : match.start()])
                    self._take()
                    begin = position
            elif self._depth > 1 or token == b"]":
                self._depth -= token in b"]}"
                self.closed = self._depth == 0
            if not self._in_string and (self.closed or (token == b"," and self._depth == 1)):
                self._parts.append(data[begin : match.start()])
                begin = position
                element = self._take()
                # Between two commas, or a comma and the end, JSON wants an element: an empty one is one gone wrong.
                if element[0] or token == b"," or self._awaits_element:
                    yield element
                self._awaits_element = token == b","
        self.rest = data[position:]

    def finish(self) -> Iterator[Element]:
        """Yield what is left of an element when the text ends before the array does."""
        element = self._take()
        if element[0]:
            yield element

    def _take(self) -> Element:
        text = b"".join(self._parts)
        self._parts = []
        bare = text.lstrip()
        line = self.line + text.count(b"\n", 0, len(text) - len(bare))
        self.line += text.count(b"\n")
        return bare.rstrip(), line


def resplit(text: bytes, line: int) -> Iterator[Element]:
    """Yield what a damaged element consists of: its first lines, and the elements that it swallowed.

    An element is taken to begin at each line that opens an object and is indented no deeper than any before it.

    Args:
        text: the element, of several lines.
        line: the 1-based line where it starts.
    """
    part: list[bytes] = []
    start = line
    # The first line has lost its indentation with the white space around the element.
    indent: int | None = None
    for number, content in enumerate(text.split(b"\n"), line):
        bare = content.lstrip()
        depth = len(content) - len(bare)
        if number > line and bare.startswith(b"{") and (indent is None or depth <= indent):
            indent = depth
            yield from _part(part, start)
            part, start = [], number
        part.append(content)
    yield from _part(part, start)


def _part(lines: list[bytes], line: int) -> Iterator[Element]:
    text = b"\n".join(lines).strip()
    # The comma before the next element, and at the end the bracket that closes the array, are not part of it.
    text = (
        text.removesuffix(b"]").rstrip() if text.startswith(b"{") and text.endswith((b"}]", b"}\n]", b"} ]")) else text
    )
    text = text.removesuffix(b",").rstrip()
    if text:
        yield text, line
