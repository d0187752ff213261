"""Cutting a JSON array into the texts of its elements, without parsing them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from turnparse._limits import KEPT

Element = tuple[bytes, int]
"""The text of an element without surrounding white space, and the 1-based line where it starts."""


class LongElement(NamedTuple):
    """An element that is too long.

    Attributes:
        begun: its text as far as it was kept.
        line: the 1-based line where it starts.
        size: how many bytes it has, without surrounding white space.
    """

    begun: bytes
    line: int
    size: int


class ArraySplitter:
    """Takes a JSON array in pieces and gives its elements' texts as soon as they are whole.

    It looks at brackets, quotes and line feeds only, so an element that is not JSON costs only itself as long as its
    brackets and quotes are balanced. A line feed ends a string, since JSON allows none inside one.

    Args:
        line: the 1-based line where the text begins.
        limit: how many bytes an element may have; of a longer one only so many are held.

    Attributes:
        limit: the same.
        line: the 1-based line that has been come to.
        closed: whether the array's closing bracket has been seen.
        commas: how many commas stood between elements.
    """

    _OUTSIDE: Final = re.compile(rb'["\[\]{},]')
    _INSIDE: Final = re.compile(rb'["\\\n]')

    def __init__(self, line: int, limit: int = sys.maxsize) -> None:
        self.line = line
        self.limit = limit
        self.closed = False
        self._left = b"", 0
        self.commas = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._begun: Element | None = None
        self._solid = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._awaits_element = False

    def feed(self, data: bytes, begin: int = 0) -> Iterator[Element | LongElement]:
        """Yield the elements that end in *data*, from *begin* on, the next piece of the text."""
        position = begin
        if self._escaped and data:
            position, self._escaped = 1, False
        while not self.closed:
            match = (self._INSIDE if self._in_string else self._OUTSIDE).search(data, position)
            if match is None:
                self._add(data[begin:])
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
                    self._add(data[begin : match.start()])
                    self._take()
                    begin = position
            elif self._depth > 1 or token == b"]":
                self._depth -= token in b"]}"
                self.closed = self._depth == 0
            if not self._in_string and (self.closed or (token == b"," and self._depth == 1)):
                self._add(data[begin : match.start()])
                begin = position
                element = self._take()
                # Between two commas, or a comma and the end, JSON wants an element: an empty one is one gone wrong.
                if element[0] or token == b"," or self._awaits_element:
                    yield element
                self._awaits_element = token == b","
                self.commas += self._awaits_element
        self._left = data, position

    @property
    def rest(self) -> bytes:
        """What was fed after the closing bracket."""
        data, begin = self._left
        return data[begin:]

    @property
    def goes_on(self) -> bool | None:
        """Whether a comma or another bracket follows the closing one; None if nothing but white space does so far."""
        data, begin = self._left
        # A hostile text may be such brackets alone: what is left is not copied for each.
        begin = _SPACES.match(data, begin).end()  # type: ignore[union-attr]  # it matches nothing too
        return data[begin] in b",]" if begin < len(data) else None

    def follow(self, data: bytes) -> None:
        """Take what comes after the rest."""
        self._left = self.rest + data, 0

    def reopen(self) -> Iterator[Element | LongElement]:
        """Go on after a bracket that did not close the array, since a comma or another bracket follows it."""
        data, begin = self._left
        self._left = b"", 0
        self.closed, self._depth = False, 1
        self._add(b"]")
        yield from self.feed(data, begin)

    def finish(self) -> Element | LongElement | None:
        """Return what is left of an element when the text ends before the array does; None if there is nothing."""
        element = self._take()
        return element if element[0] else None

    def _add(self, text: bytes) -> None:
        """Add *text* to the element that is not whole yet; beyond the limit, to its size only."""
        if self._begun is None:
            self._parts.append(text)
            self._size += len(text)
            if self._size <= self.limit:
                return
            bare, line = self._bare()
            self._size = len(bare)
            if len(bare) <= self.limit:
                # There was white space before it.
                self.line, self._parts = line, [bare]
                return
            self.line += bare.count(b"\n") + line - self.line
            # One byte more than may be there tells that it is too long, if it is no white space.
            self._begun, self._parts = (bare[: max(self.limit, KEPT) + 1], line), []
            self._solid = len(bare.rstrip())
            return
        begun, line = self._begun
        if len(begun) <= KEPT:
            self._begun = (begun + text[: KEPT + 1], line)
        if solid := len(text.rstrip()):
            self._solid = self._size + solid
        self._size += len(text)
        self.line += text.count(b"\n")

    def _bare(self) -> Element:
        """Return what is held without white space before it, and the line where it starts."""
        text = b"".join(self._parts)
        bare = text.lstrip()
        return bare, self.line + text.count(b"\n", 0, len(text) - len(bare))

    @property
    def reached(self) -> int:
        """The line where the element begins that is not whole yet."""
        return self._bare()[1] if self._begun is None else self._begun[1]

    def _take(self) -> Element | LongElement:
        begun, solid = self._begun, self._solid
        self._size, self._begun = 0, None
        if begun is not None:
            text, line = begun[0][:solid], begun[1]
            return LongElement(text, line, solid) if solid > self.limit else (text, line)
        bare, line = self._bare()
        self.line = line + bare.count(b"\n")
        self._parts = []
        return bare.rstrip(), line


def is_sound(element: Element | LongElement) -> bool:
    """Tell whether an element is JSON, as far as is known of one that is too long."""
    import orjson

    try:
        orjson.loads(element[0])
    except orjson.JSONDecodeError:
        return False
    return True


class Mender:
    """Takes elements one by one and gives them on; of damaged ones, what they consist of.

    A quote or a bracket that is missing makes what follows look like a part of its element, or cuts it in the wrong
    places. So damaged elements are held until a sound one comes. In them a whole object that stands after a comma
    or a line feed, and has half of the keys that all elements before had, is taken for an element.
    """

    def __init__(self) -> None:
        self._held: list[Element] = []
        self._size = 0
        self._common: set[str] = set()

    def take(self, element: Element | LongElement) -> Iterator[Element | LongElement]:
        """Yield what is sure now that *element* has come."""
        import orjson

        if isinstance(element, LongElement):
            yield from self._given_back(last=False)
            yield element
            return
        text, _ = element
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._held.append(element)
            self._size += len(text)
            if self._size > MOST_HELD:
                yield from self._given_back(last=False)
            return
        yield from self._given_back(last=False)
        if isinstance(value, dict):
            self._common = self._common.intersection(value) or set(value)
        yield element

    def finish(self) -> Iterator[Element]:
        """Yield what the damaged elements that are held consist of, when there are no more."""
        yield from self._given_back(last=True)

    def has_swallowed(self, text: bytes) -> bool:
        """Tell whether a last element, which could have been cut off, lacks brackets instead, so that others look like parts of it.

        It does if the array's end stands in it, at the begin of a line, or an object with all keys that all elements had.
        """
        if text.endswith(b"\n]"):
            return True
        source = text.decode("utf-8", "surrogateescape")
        return bool(self._common) and bool(_sound(source, self._common, len(self._common)))

    def _given_back(self, *, last: bool) -> Iterator[Element]:
        """Yield what the damaged elements that are held consist of; *last* if nothing came after them."""
        held, self._held, self._size = self._held, [], 0
        apart = [self._recovered(element, last=last) if element[0] else ([element], 0) for element in held]
        if len(held) > 1:
            text, line = held[0]
            joined, come_to = [text], line + text.count(b"\n")
            for more, at in held[1:]:
                joined += [b",", b"\n" * (at - come_to), more]
                come_to = max(come_to, at) + more.count(b"\n")
            together, found = self._recovered((b"".join(joined), line), last=last)
            if found > sum(count for _, count in apart):
                apart = [(together, found)]
        for parts, _ in apart:
            yield from parts

    def _recovered(self, element: Element, *, last: bool) -> tuple[list[Element], int]:
        """Return what a damaged element consists of, and how many sound elements are in it."""
        text, line = element
        # Bytes that are not UTF-8 go through unchanged.
        source = text.decode("utf-8", "surrogateescape")
        sound = _sound(source, self._common)
        if last and not sound:
            # All that follows was swallowed, and nothing in it is like the elements before: those were not typical.
            sound = _sound(source, set())
        spans: list[tuple[int, int]] = []
        begin = 0
        for at, end in sound:
            spans += [*_damaged(source, begin, at), (at, end)]
            begin = end
        spans += _damaged(source, begin, len(source))
        parts, counted = [], 0
        for at, end in spans:
            line += source.count("\n", counted, at)
            counted = at
            parts.append((source[at:end].encode("utf-8", "surrogateescape"), line))
        return parts, len(sound)


def _sound(source: str, common: set[str], least: int | None = None) -> list[tuple[int, int]]:
    """Return where in a damaged element whole objects stand that have *least* of the keys *common*, half if not named."""
    # Half of the keys: not every row has every column, and what lies inside a row has few of them.
    least = (len(common) + 1) // 2 if least is None else least
    decoder = json.JSONDecoder()
    spans: list[tuple[int, int]] = []
    begin = 0
    effort = MOST_EFFORT * len(source)
    for match in _BRACES.finditer(source):
        at = match.end() - 1
        if match[1] is None or (match.start() and "," not in match[1] and "\n" not in match[1]):
            continue
        if at < begin or effort < 0:
            continue
        try:
            value, end = decoder.raw_decode(source, at)
        except json.JSONDecodeError as error:
            effort -= error.pos - at
            continue
        except (ValueError, RecursionError):
            effort -= len(source) - at
            continue
        effort -= end - at
        if len(common.intersection(value)) >= least and _FOLLOWS.match(source, end):
            spans.append((at, end))
            begin = end
    return spans


_BRACES: Final = re.compile(r"(,?\s*+)\{|,?\s++|,")
"""An opening brace with the white space before it, and a comma before that, in a group; or such without a brace, at one step."""

_SPACES: Final = re.compile(rb"\s*+")

_FOLLOWS: Final = re.compile(r"\s*(?:[],]|\Z)|\s*\n")

MOST_EFFORT: Final = 16
"""How many times the length of a damaged element is read, in all, to find sound objects in it: they may seem to begin anywhere."""

MOST_HELD: Final = 1 << 24
"""Bytes of damaged elements that are held at most, so that a file of nothing else does not fill the memory."""


def _damaged(source: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Return *begin* and *end* without the commas and white space around, and the array's end; nothing if that is all."""
    part = source[begin:end]
    if end == len(source) and begin:
        part = part.rstrip().removesuffix("]")
    bare = part.lstrip(", \t\r\n")
    begin += len(part) - len(bare)
    bare = bare.rstrip(", \t\r\n")
    return [(begin, begin + len(bare))] if bare else []
