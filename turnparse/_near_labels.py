"""What may be meant as labels in rows that have no turns: counted while they are read, and told with the summary."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import attrs

from turnparse._labels import TERMINALS, is_label
from turnparse._markers import MarkerTable, Role

MOST_ROWS: Final = 10_000
"""Rows of an output that are looked at, the first ones: enough to tell what most of them have."""

MOST_TEXT: Final = 1 << 13
"""Characters of a text that are looked at."""

MOST_PARAGRAPHS: Final = 64
"""Words at the start of paragraphs of a text that are looked at."""

MOST_WORDS: Final = 8
"""Different ones of a row that are counted."""

LONGEST: Final = 40
"""Characters of such a word at most."""

KEPT: Final = 100
"""Words of an output that are remembered beyond its end, and in the manifest, the commonest: each row of a hostile file may have
its own, and a few are told."""

Words = tuple[str, ...]
"""The words of a row, in the order in which they first come."""


@attrs.frozen
class NearLabels:
    """What is at the start of paragraphs where most rows have no turns.

    Attributes:
        rows: rows without turns that were looked at.
        words: {what stands there, such as ``"User:"``: how many of these rows have it}, the commonest first.
        labels: {role: the label that it would be}. The roles are guesses: a word that is nearly a label, or the name
            of a role, has that role; of others the one that mostly comes first is the user's.
    """

    rows: int
    words: dict[str, int]
    labels: dict[Role, str]

    @property
    def options(self) -> str:
        """The options that would read these words as labels, as a shell takes them."""
        return " ".join(f"--label {shlex.quote(f'{role}={label}')}" for role, label in self.labels.items())

    @property
    def message(self) -> str:
        """What was found, and what to do, in one sentence."""
        found = ", ".join(f"{count:,} have {word!r}" for word, count in self.words.items())
        return (
            f"most rows have no turns; of {self.rows:,} of these, at the start of a paragraph {found}: "
            f"to read that as labels (roles are guessed: who speaks first is the user), add {self.options}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**attrs.asdict(self), "options": self.options}


@attrs.frozen
class NearFinder:
    """Finds what may be meant as labels where no label of a dialect is.

    Attributes:
        table: the markers of the dialect.
    """

    table: MarkerTable

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        """Matches a word where a label could stand; it is group 1. None if nothing says where a label ends."""
        endings = sorted({m.literal[m.label_end :] for m in self.table.markers}, key=len, reverse=True)
        if not endings or not all(endings):
            return None
        openings = {re.escape(m.opening) for m in self.table.unanchored}
        openings |= {rf"\A{re.escape(m.opening)}" for m in self.table.markers if m.anchored}
        stops = "".join(sorted({re.escape(ending[0]) for ending in endings}))
        before = "|".join(sorted(openings, key=lambda opening: (-len(opening), opening)))
        after = "|".join(map(re.escape, endings))
        return re.compile(rf"(?:{before})([^\s{stops}][^\r\n{stops}]{{0,{LONGEST - 1}}})(?:{after})")

    def words(self, texts: Iterable[str]) -> Words:
        """Return the words of a row with these *texts* that may be meant as labels."""
        found: dict[str, None] = {}
        if self._pattern is None:
            return ()
        for text in texts:
            for match, _ in zip(self._pattern.finditer(text, 0, MOST_TEXT), range(MOST_PARAGRAPHS), strict=False):
                if match[1].isprintable() and is_label(match[1]) and match[1] not in self._labels:
                    found.setdefault(match[1])
        return tuple(found)[:MOST_WORDS]

    @cached_property
    def _labels(self) -> set[str]:
        return {m.label for m in self.table.markers}

    def role(self, word: str) -> Role | None:
        """Return the role that *word* is nearly a label or the name of; None if it is neither."""
        for role in TERMINALS:
            labels = MarkerTable(tuple(m for m in self.table.markers if m.role == role))
            if word.casefold() == role or labels.is_near_label(word):
                return role
        return None


@attrs.define
class NearMisses:
    """The words of the first rows without turns of an output, or of several outputs.

    Attributes:
        rows: how many rows were looked at.
        words: {word: how many of them have it}.
        places: {word: the sum of its places among the words of these rows}.
    """

    rows: int = 0
    words: Counter[str] = attrs.field(factory=Counter)
    places: Counter[str] = attrs.field(factory=Counter)

    def take(self, rows: list[Words]) -> None:
        """Count the words of the next rows, up to `MOST_ROWS`."""
        for words in rows[: MOST_ROWS - self.rows]:
            self.rows += 1
            self.words.update(words)
            for place, word in enumerate(words):
                self.places[word] += place

    def add(self, other: NearMisses) -> None:
        """Add the counts of another output: of its commonest words."""
        common = other.common()
        self.rows += common.rows
        self.words.update(common.words)
        self.places.update(common.places)

    def common(self) -> NearMisses:
        """Return the counts of the commonest words only."""
        words = self.ranked()[:KEPT]
        counts, places = ({word: counted[word] for word in words} for counted in (self.words, self.places))
        return NearMisses(self.rows, Counter(counts), Counter(places))

    def ranked(self) -> list[str]:
        """Return the words, the commonest first; of equally common ones that which stands earlier."""
        return sorted(self.words, key=lambda word: (-self.words[word], self.places[word], word))

    def hint(self, finder: NearFinder) -> NearLabels | None:
        """Return what the commonest words are and may mean; None if there are none."""
        if not self.words:
            return None
        ranked = self.ranked()
        # What fewer than half of the rows have that have the commonest is no other speaker's label.
        common = [word for word in ranked[: len(TERMINALS)] if 2 * self.words[word] >= self.words[ranked[0]]]
        labels: dict[Role, str] = {}
        for word in common:
            role = finder.role(word)
            if role is not None:
                labels.setdefault(role, word)
        others = [word for word in common if word not in labels.values()]
        for word in sorted(others, key=lambda word: self.places[word] / self.words[word]):
            role = next((role for role in TERMINALS if role not in labels and role != "system"), None)
            if role is not None:
                labels[role] = word
        told = [word for word in common if word in labels.values()]
        ending = next(m.literal[m.label_end :] for m in finder.table.markers)
        ordered = {role: labels[role] for role in TERMINALS if role in labels}
        return NearLabels(self.rows, {word + ending: self.words[word] for word in told}, ordered)
