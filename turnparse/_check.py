"""The call behind `turnparse check`: which codes the rows of sources carry, how many rows each, and where the first stand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

import attrs

from turnparse._codes import CODES, OF_OUTPUT, Code, Level, preset_column
from turnparse._dialect import DEFAULT, Dialect
from turnparse._errors import ArgumentError, DamagedError, FaultError, OptionError, SourceError, require_callable, shown
from turnparse._job import Job
from turnparse._limits import Limits
from turnparse._model import Diagnostics
from turnparse._places import Place
from turnparse._shards import paths_of, shards_of
from turnparse._target import Target

CHECKED: Final[Mapping[str, Code]] = {name: code for name, code in CODES.items() if name not in OF_OUTPUT}
"""{code: its row of the table}, of the codes that a row may carry before it is written."""

GROUPS: Final = ("structural", "advisory")
"""What stands for all codes of that severity."""

DAMAGED: Final = "source-damaged"
"""The code of what is left of a source that proves damaged."""

PLACES: Final = 3
"""Places of a code that are kept if nothing else is said."""

LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")
"""What matters most comes first."""


@attrs.frozen
class Finding:
    """A code that some rows carry.

    Attributes:
        code: its row of the table, a `turnparse.Code`.
        level: how much it matters: ``"error"``, ``"warning"`` or ``"note"``; see `Code.level`.
        rows: how many rows carry it at least once.
        places: where the first of them stand, in the order of the sources: each a `turnparse.Origin`, whose `str` is
            what `turnparse show` takes.
    """

    code: Code
    level: Level
    rows: int
    places: tuple[Place, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "code": self.code.name,
            "severity": self.code.severity,
            "level": self.level,
            "rows": self.rows,
            "meaning": self.code.meaning,
            "advice": self.code.advice,
            "places": [
                {"place": str(place), "source": place.source, "line": place.line, "row": place.row}
                for place in self.places
            ],
        }


@attrs.frozen
class CheckResult:
    """What was found in sources. ``rows`` is ``clean_rows`` and those that carry a selected code.

    Attributes:
        rows: rows read.
        clean_rows: rows that carry none of the selected codes.
        blank_lines: lines of white space only; they are no rows.
        selected: the codes that were looked for, in the order of their table.
        preset: what made a code an error.
        findings: the codes that were found: errors, then warnings, then notes, each in the order of their table.
        failures: what is wrong with sources that could not be read to their end.
    """

    rows: int
    clean_rows: int
    blank_lines: int
    selected: tuple[str, ...]
    preset: str
    findings: tuple[Finding, ...]
    failures: tuple[SourceError, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a code of the level ``"error"`` was found, or a source could not be read though it may hold such rows."""
        errors = any(finding.level == "error" for finding in self.findings)
        return errors or any(not isinstance(failure, DamagedError) for failure in self.failures)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON has it."""
        return {
            "rows": self.rows,
            "clean_rows": self.clean_rows,
            "blank_lines": self.blank_lines,
            "preset": self.preset,
            "failed": self.failed,
            "findings": [finding.as_dict() for finding in self.findings],
            "failures": [str(failure) for failure in self.failures],
        }


def check(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preset: str = "default",
    dialect: Dialect | str = DEFAULT,
    chosen: str | None = None,
    rejected: str | None = None,
    transcript: str | None = None,
    from_: str | Target | None = None,
    places: int = PLACES,
    max_row_bytes: int | None = None,
    max_expansion: int | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> CheckResult:
    """Look through the rows of sources for what is odd about them. The data are judged as they are: nothing is mended before.

    Rows are looked at by column, and one by one only where something may be odd about them.

    Args:
        sources: as for `turnparse.convert`.
        select: the codes to look for, or ``"structural"`` or ``"advisory"`` for all of those; None for every code.
        ignore: codes, or one of these, to leave out of them.
        preset: what makes a code an error: that this preset of `turnparse.convert` sets rows with it aside.
        dialect: as for `turnparse.parse`.
        chosen: as for `turnparse.convert`.
        rejected: likewise.
        transcript: likewise.
        from_: likewise.
        places: how many places of each code are kept at most.
        max_row_bytes: as for `turnparse.convert`.
        max_expansion: likewise.
        on_bytes: called with the number of bytes read, as they are read.

    Returns:
        The codes that were found, with the counts.

    Warns:
        RuntimeWarning: if only structural codes are looked for, and the dialect is not flat, so that rows are read one by one.

    Raises:
        ArgumentError: if an option is of the wrong type.
        OptionError: if an option has an unknown value.
        DialectError: if the dialect cannot be had.
        SourceError: if no source can be read.
    """
    selected = chosen_codes(select, ignore)
    preset_column(preset)
    kept = _checked_places(places)
    require_callable(on_bytes, "on_bytes")
    limits = Limits.of(max_row_bytes, max_expansion)
    asked: Diagnostics = "all" if any(CODES[code].severity == "advisory" for code in selected) else "structural"
    # Of all targets this one takes rows of every kind, and has no rules; under `faithful` nothing is mended or hidden.
    job = Job.of(
        to="messages", preset="faithful", policies=None, dialect=dialect, diagnostics=asked, side="chosen", chosen=chosen,
        rejected=rejected, transcript=transcript, keep_columns=False, from_=from_,
    )  # fmt: skip
    shards = shards_of(paths_of(sources))
    # Arrow and NumPy take a while to load: a mistake in the call is told before that.
    from turnparse._batches import BatchConverter, warn_if_slow
    from turnparse._chunk_columns import ChunkReader

    converter = BatchConverter(job)
    warn_if_slow(converter)
    looking = _Looking(converter, ChunkReader(job), frozenset(selected), limits, on_bytes)
    total, failures = Tally(kept), []
    for shard in shards:
        found = Tally(kept)
        failure = looking.through(shard.path, found)
        if failure is not None:
            failures.append(failure)
        if not isinstance(failure, FaultError):
            total.add(found)
    if len(failures) == len(shards) and not total.rows:
        raise failures[0]
    findings = [
        Finding(CODES[code], CODES[code].level(preset), total.codes[code], tuple(total.places[code]))
        for code in selected
        if total.codes[code]
    ]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return CheckResult(total.rows, total.clean, total.blank_lines, selected, preset, tuple(findings), tuple(failures))


@attrs.define
class Tally:
    """The counts of a source, or of several.

    Attributes:
        most: how many places of each code are kept.
        rows: rows read.
        clean: rows without a selected code.
        blank_lines: lines of white space only.
        codes: {code: rows that carry it}.
        places: {code: where the first of them stand}.
    """

    most: int
    rows: int = 0
    clean: int = 0
    blank_lines: int = 0
    codes: Counter[str] = attrs.field(factory=Counter)
    places: dict[str, list[Place]] = attrs.field(factory=dict)

    def take(self, codes: Collection[str], place: Callable[[], Place]) -> None:
        """Count a row that carries *codes*."""
        self.codes.update(codes)
        for code in codes:
            first = self.places.setdefault(code, [])
            if len(first) < self.most:
                first.append(place())

    def add(self, other: Tally) -> None:
        """Add the counts of what comes after."""
        self.rows += other.rows
        self.clean += other.clean
        self.blank_lines += other.blank_lines
        self.codes += other.codes
        for code, places in other.places.items():
            first = self.places.setdefault(code, [])
            first += places[: self.most - len(first)]


@attrs.frozen
class _Looking:
    """How sources are looked through.

    Attributes:
        converter: what judges the rows, a `BatchConverter`.
        reader: what makes columns of them, a `ChunkReader`.
        selected: the codes to look for.
        limits: what a source may ask for.
        on_bytes: called with the number of bytes read.
    """

    converter: Any
    reader: Any
    selected: frozenset[str]
    limits: Limits
    on_bytes: Callable[[int], object] | None

    def through(self, path: str, tally: Tally) -> SourceError | None:
        """Count the rows of the source at *path* in *tally*; return what is wrong with it, if it cannot be read to its end."""
        from turnparse._pieces import stretches

        named = path
        try:
            for stretch in stretches(path, self.reader, self.limits, self.on_bytes):
                named = stretch.source
                odd = 0
                for index, judgement in self.converter.odd(stretch.read.batch, stretch.read.originals):
                    if codes := self.selected.intersection(judgement.codes):
                        odd += 1
                        tally.take(codes, partial(stretch.place, index))
                tally.rows += len(stretch)
                tally.clean += len(stretch) - odd
                tally.blank_lines += stretch.read.blank_lines
        except SourceError as error:
            # Where not one row comes before the damage, the source is one that cannot be read at all.
            if isinstance(error, DamagedError) and tally.rows:
                self._count_rest(Place(named, error.line, tally.rows), tally)
            return error
        return None

    def _count_rest(self, place: Place, tally: Tally) -> None:
        """Count what cannot be read of a damaged source as one row, since nobody knows how many it was."""
        tally.rows += 1
        if DAMAGED in self.selected:
            tally.take([DAMAGED], lambda: place)
        else:
            tally.clean += 1


def chosen_codes(select: object, ignore: object) -> tuple[str, ...]:
    """Return the codes that are selected and not ignored, in the order of their table.

    Raises:
        ArgumentError: if one of the two is no list of names.
        OptionError: if there is no such code, or none is left.
    """
    wanted = set(CHECKED) if select is None else _codes(select, "select")
    left = wanted - _codes(ignore, "ignore")
    if not left:
        raise OptionError("expected at least one code that is selected and not ignored, found none")
    return tuple(code for code in CHECKED if code in left)


def _codes(names: object, option: str) -> set[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        msg = f"expected {option} to be a list of codes, found {type(names).__name__}"
        raise ArgumentError(msg)
    found: set[str] = set()
    for name in names:
        if name in GROUPS:
            found.update(code.name for code in CHECKED.values() if code.severity == name)
        elif isinstance(name, str) and name in CHECKED:
            found.add(name)
        elif isinstance(name, str) and name in OF_OUTPUT:
            msg = f"expected a code of rows as they are read, found {name}, which only a conversion finds"
            raise OptionError(f"{msg}: `turnparse convert` counts it")
        else:
            msg = f"expected a code ({', '.join(CHECKED)}), or {' or '.join(GROUPS)}, found {shown(name)}"
            raise OptionError(msg)
    return found


def _checked_places(places: object) -> int:
    if not isinstance(places, int) or isinstance(places, bool):
        msg = f"expected places to be an int, found {type(places).__name__}"
        raise ArgumentError(msg)
    if places < 0:
        msg = f"expected places to be at least 0, found {places}"
        raise OptionError(msg)
    return places
