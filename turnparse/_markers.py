"""The markers of a dialect as plain strings, and the patterns that follow from them.

A `MarkerTable` is what the readers, the diagnostics and `render` know of a dialect. It is derived from a
grammar by `turnparse._dialect`; nothing in here, and nothing that uses it, holds a label of its own.
"""

from __future__ import annotations

import itertools
import re
from functools import cached_property
from typing import Final, Literal

import attrs

Role = Literal["user", "assistant", "system"]

ROLES: Final[dict[str, Role]] = {"USER": "user", "ASSISTANT": "assistant", "SYSTEM": "system"}
"""The role that each label terminal of a grammar is named for."""

SHORTEST_PREFIX: Final = 3
"""A near miss may be the first letters of a label: at least this many, since public files hold ``Hum:``."""

LINE_ENDS: Final = "\r\n"

LONG: Final = 1 << 16
"""Characters of a text that is first asked whether it has a label at all."""


@attrs.frozen
class Mark:
    """What a turn begins with.

    Attributes:
        literal: the marker as it stands in the text, paragraph break and colon included; empty for a preamble.
        role: ``"user"``, ``"assistant"`` or ``"system"``.
        speaker: the label, such as ``"Human"``; None for a preamble.
    """

    literal: str
    role: Role
    speaker: str | None


PREAMBLE: Final = Mark("", "system", None)
"""What a preamble begins with where it is seen as a turn."""


@attrs.frozen
class Marker:
    r"""One marker of a dialect, letter by letter.

    Attributes:
        literal: the whole marker, such as ``"\n\nHuman:"``.
        role: the role of the turns that it begins.
        label_start: where the label begins in *literal*, in characters.
        label_end: where it ends.
        anchored: whether it is a marker only at the very start of a text.
    """

    literal: str
    role: Role
    label_start: int
    label_end: int
    anchored: bool

    @property
    def opening(self) -> str:
        """What stands before the label."""
        return self.literal[: self.label_start]

    @property
    def label(self) -> str:
        """The label, such as ``"Human"``."""
        return self.literal[self.label_start : self.label_end]

    @property
    def head(self) -> str:
        """The marker up to the end of its label: what is left when the rest was cut off."""
        return self.literal[: self.label_end]

    @property
    def labelled(self) -> str:
        """The marker from its label on, such as ``"Human:"``."""
        return self.literal[self.label_start :]


def _alternation(literals: list[str]) -> str:
    """Return a regular expression for any of *literals*, tried in their order."""
    return "(?:" + "|".join(map(re.escape, literals)) + ")"


def _factored(markers: list[Marker]) -> str:
    """Return a regular expression that matches exactly *markers*, tried in their order.

    Where every opening goes with every label, the two are written as one product: `re` then skips to the few
    characters a marker can begin with, several times as fast as it tries whole literals one by one.
    """
    opens = list(dict.fromkeys(m.opening for m in markers))
    labels = list(dict.fromkeys(m.labelled for m in markers))
    if [m.literal for m in markers] == ["".join(pair) for pair in itertools.product(opens, labels)]:
        return _alternation(opens) + _alternation(labels)
    return _alternation([m.literal for m in markers])


@attrs.frozen(eq=False, repr=False)
class MarkerTable:
    """All markers of a dialect, in the order in which its grammar tries them; empty if they are not finite."""

    markers: tuple[Marker, ...]

    @cached_property
    def marks(self) -> dict[str, Mark]:
        """{marker: what a turn that begins with it has as its mark}."""
        return {m.literal: Mark(m.literal, m.role, m.label) for m in self.markers}

    @cached_property
    def longest(self) -> int:
        """The length of the longest marker, in characters."""
        return max((len(m.literal) for m in self.markers), default=0)

    @cached_property
    def unanchored(self) -> list[Marker]:
        """The markers that may stand anywhere."""
        return [m for m in self.markers if not m.anchored]

    @cached_property
    def opening(self) -> re.Pattern[str]:
        """Matches a marker at the very start of a text."""
        return re.compile(_alternation([m.literal for m in self.markers]))

    @cached_property
    def separable(self) -> bool:
        """Whether no marker can stand inside another, so that where one is found no other could have been."""
        return not any(
            b.literal.startswith(a.literal) or (not a.anchored and a.literal in b.literal)
            for a, b in itertools.permutations(self.markers, 2)
        )

    @cached_property
    def _inner(self) -> re.Pattern[str]:
        return re.compile(f"({_factored(self.unanchored)})")

    @cached_property
    def _main(self) -> tuple[str, re.Pattern[str]] | None:
        """The characters that every opening but the shortest needs, and a pattern for the shortest alone."""
        openings = sorted({m.opening for m in self.unanchored}, key=len)
        signs = [next((char for char in opening if char not in openings[0]), "") for opening in openings[1:]]
        if not all(signs):
            return None
        markers = [m for m in self.unanchored if m.opening == openings[0]]
        return "".join(dict.fromkeys(signs)), re.compile(f"({_factored(markers)})")

    def inner(self, text: str) -> re.Pattern[str]:
        """Return a pattern that finds each marker of *text* but one at its very start; the marker is group 1.

        Most texts know one kind of line end, and `re` finds markers with one opening twice as fast as markers
        with a choice of two. So the others are left out where a character that they need is not in *text*.
        """
        if self._main is not None:
            signs, pattern = self._main
            for sign in signs:
                if sign in text:
                    return self._inner
            return pattern
        return self._inner

    def may_stand_in(self, text: str) -> bool:
        """Tell whether any marker may stand in *text*; of short texts it is not worth asking.

        Megabytes of what markers begin with, such as line ends, take `re` long, and a label after them is soon missed.
        """
        if len(text) < LONG:
            return True
        # One character is looked for many times as fast as a word.
        return all(char in text for char in self._needed) and any(label in text for label in self._labels)

    @cached_property
    def _needed(self) -> set[str]:
        """The characters without which there is no label."""
        return set.intersection(*map(set, self._labels)) if self._labels else set()

    @cached_property
    def _labels(self) -> set[str]:
        return {m.labelled for m in self.markers}

    @cached_property
    def canonical(self) -> dict[Role, str]:
        """{role: the marker to write for it}: the shortest that may stand anywhere."""
        markers: dict[Role, str] = {}
        for marker in sorted(self.unanchored, key=lambda m: len(m.literal)):
            markers.setdefault(marker.role, marker.literal)
        return markers

    @cached_property
    def apart(self) -> bool:
        """Whether what stands between markers holds none, however it was cut out of a text, and stripped, and put elsewhere.

        It is so where each begins with line ends and has no others: none can begin in one turn and end in the next.
        """
        return all(
            m.literal[:1] in LINE_ENDS and not any(end in m.literal.lstrip(LINE_ENDS) for end in LINE_ENDS)
            for m in self.unanchored
        )

    @cached_property
    def cut_off_heads(self) -> tuple[str, ...]:
        """What a text ends in when it was cut off inside a marker, after its label; longest first."""
        heads = {m.head for m in self.unanchored if m.head != m.literal}
        return tuple(sorted(heads, key=len, reverse=True))

    @cached_property
    def labelled(self) -> re.Pattern[str] | None:
        """Matches a label and what follows it in its markers, such as ``Human:``, wherever it stands."""
        literals = sorted({m.labelled for m in self.markers}, key=len, reverse=True)
        return re.compile(_alternation(literals)) if literals else None

    @cached_property
    def near_labels(self) -> re.Pattern[str] | None:
        """Matches, at a line start, a word that may be meant as a label: the word is group 1.

        Only labels that something follows in their markers can be missed by a word before that something.
        """
        return re.compile(rf"(?:\A|(?<=[{LINE_ENDS}])){self.near_line}") if self.near_line else None

    @cached_property
    def near_line(self) -> str:
        """The expression for that word, in group 1, and for what follows it; empty if there is none."""
        suffixes = sorted({m.literal[m.label_end :] for m in self.markers} - {""}, key=len, reverse=True)
        if not suffixes:
            return ""
        longest = max(len(m.label) for m in self.markers) + 1
        first = "".join(sorted({re.escape(suffix[0]) for suffix in suffixes}))
        word = rf"[^\s{first}](?:[^\r\n{first}]{{0,{longest - 2}}}[^\s{first}])?"
        return rf"({word})[ \t]*{_alternation(suffixes)}"

    def is_near_label(self, word: str) -> bool:
        """Tell whether *word* is a label but for case, one edit (two neighbours swapped count as one), or its end."""
        folded = word.casefold()
        return any(
            _within_one_edit(folded, label) or (len(folded) >= SHORTEST_PREFIX and label.startswith(folded))
            for label in {m.label.casefold() for m in self.markers}
        )


def _within_one_edit(a: str, b: str) -> bool:
    """Tell whether one insertion, deletion, substitution or swap of neighbours, or none, turns *a* into *b*."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    a, b = a[start:], b[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
