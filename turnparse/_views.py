"""The rows that `turnparse show` shows: read one by one, from where they are wanted, and filtered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

import attrs

from turnparse._check import chosen_codes
from turnparse._errors import OptionError, RowError, SourceError, escape, shown
from turnparse._job import Job
from turnparse._limits import Limits
from turnparse._model import Pair, Relation
from turnparse._places import Place, Wanted
from turnparse._policies import Item
from turnparse._read import Row, raw_rows
from turnparse._red_team import RedTeamAttempt
from turnparse._shards import Shard, shards_of
from turnparse._sources import STDIN, open_source

RANGE: Final = re.compile(r"(?P<low>[0-9]{1,9})?(?P<dots>\.\.)?(?P<high>[0-9]{1,9})?")
RELATIONS: Final[tuple[str, ...]] = get_args(Relation)


@attrs.frozen
class View:
    """A row to look at.

    Attributes:
        place: where it stands.
        item: what it is; None if it cannot be read.
        error: why it cannot be read, with the beginning of its text; None if it can.
    """

    place: Place
    item: Item | None
    error: RowError | None = None

    @property
    def codes(self) -> frozenset[str]:
        """The codes that it carries."""
        if self.item is None:
            return frozenset() if self.error is None else frozenset([self.error.code])
        return self.item.codes

    @property
    def turns(self) -> int | None:
        """How many turns it has, a preamble counted; of a pair those of the longer side. None if it cannot be read."""
        if isinstance(self.item, Pair):
            return len(self.item.shared) + max(len(self.item.chosen), len(self.item.rejected))
        if isinstance(self.item, RedTeamAttempt):
            return len(self.item.transcript.message_turns)
        return None if self.item is None else len(self.item.message_turns)

    @property
    def texts(self) -> list[str]:
        """All that it says: transcripts and metadata as they stand, or the text of a row that cannot be read."""
        if isinstance(self.item, Pair):
            return [str(self.item.chosen_transcript), str(self.item.rejected_transcript)]
        if isinstance(self.item, RedTeamAttempt):
            values = [value for value in self.item.metadata().values() if isinstance(value, str)]
            return [str(self.item.transcript), *values, *(self.item.tags or ())]
        if self.item is not None:
            return [str(self.item)]
        raw = None if self.error is None else self.error.raw
        return [(raw or b"").decode("utf-8", "replace")]


@attrs.frozen
class Filters:
    """Which rows are shown: those that pass each filter that there is.

    Attributes:
        codes: one of these it must carry; None for any row.
        relations: the pair must have one of these; None for any row.
        turns: the least and the most turns that it may have; None for any row.
        pattern: an expression that one of its texts must hold; None for any row.
    """

    codes: frozenset[str] | None = None
    relations: frozenset[str] | None = None
    turns: tuple[int, int] | None = None
    pattern: str | None = None

    @classmethod
    def of(cls, codes: Iterable[str], relations: Iterable[str], turns: str | None, pattern: str | None) -> Filters:
        """Return the filters that the options of `turnparse show` describe.

        Raises:
            OptionError: if a code or relation is unknown, or a range or the expression is none.
        """
        named, related = list(codes), list(relations)
        for relation in related:
            if relation not in RELATIONS:
                msg = f"expected a relation ({', '.join(RELATIONS)}), found {shown(relation)}"
                raise OptionError(msg)
        if pattern is not None:
            _holds(pattern, [""])
        return cls(
            frozenset(chosen_codes(named, ())) if named else None,
            frozenset(related) if related else None,
            None if turns is None else _range(turns),
            pattern,
        )

    def let_through(self, view: View) -> bool:
        """Tell whether a row is shown."""
        item = view.item
        if self.relations is not None and (not isinstance(item, Pair) or item.relation not in self.relations):
            return False
        if self.turns is not None and (view.turns is None or not self.turns[0] <= view.turns <= self.turns[1]):
            return False
        if self.codes is not None and self.codes.isdisjoint(view.codes):
            return False
        return self.pattern is None or _holds(self.pattern, view.texts)


def _range(text: str) -> tuple[int, int]:
    found = RANGE.fullmatch(text)
    low, high = (found["low"], found["high"]) if found is not None else (None, None)
    if found is None or (low is None and high is None) or (found["dots"] is None and high is not None):
        msg = f"expected turns as in 2, 2..6, 6.. or ..6, found {shown(text)}"
        raise OptionError(msg)
    if found["dots"] is None:
        high = low
    return int(low or 0), int(high) if high is not None else 1 << 62


def _holds(pattern: str, texts: list[str]) -> bool:
    """Tell whether one of *texts* holds what *pattern* describes, an expression of RE2.

    That is Arrow's: its time goes with the text's length, whatever the expression, where `re` may take for ever.

    Raises:
        OptionError: if it is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        expression = pattern.encode().decode()
        # A lone surrogate has no place in Arrow.
        column = pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())
        return bool(pc.any(pc.match_substring_regex(column, expression)).as_py())
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        msg = f"expected a regular expression of RE2, found {shown(pattern)}: {escape(str(error), 200)}"
        raise OptionError(msg) from None


def views(
    wanted: Iterable[Wanted], job: Job, limits: Limits, filters: Filters, failures: list[SourceError]
) -> Iterator[View]:
    """Yield the rows that are wanted and pass *filters*, source by source, in order.

    Args:
        wanted: the sources, and the places in them.
        job: how rows are read.
        limits: what a source may ask for.
        filters: which rows to leave out.
        failures: what is wrong with sources that cannot be read to their end is added to it.

    Raises:
        OptionError: if there is no row at a place that is wanted, or standard input is wanted twice.
        SourceError: if a folder or pattern has no files.
    """
    for shard, one in _shards(wanted):
        try:
            yield from filter(filters.let_through, _of_shard(shard, one, job, limits))
        except SourceError as error:
            failures.append(error)


def _shards(wanted: Iterable[Wanted]) -> list[tuple[Shard, Wanted]]:
    named = list(wanted)
    if sum(one.source == STDIN for one in named) > 1:
        raise OptionError(f"expected {STDIN} (standard input) at most once among the sources")
    shards = []
    for one in named:
        files = shards_of([one.source])
        if one.is_one and len(files) > 1:
            msg = f"expected one file with the place of a row, found {len(files):,} of {escape(one.source, 300)!r}"
            raise OptionError(msg)
        shards += [(shard, one) for shard in files]
    return shards


def _of_shard(shard: Shard, wanted: Wanted, job: Job, limits: Limits) -> Iterator[View]:
    """Yield the rows of a source that are wanted.

    Raises:
        OptionError: if there is none at the place that is wanted.
        SourceError: if it cannot be opened, or not be read to its end.
    """
    there = 0
    with open_source(shard.path, limits=limits) as source:
        before = None
        for row, after in _with_next(raw_rows(source, job.columns, limits, every=job.back is not None)):
            found = row.found
            if wanted.row is not None and found.row > wanted.row:
                break
            if wanted.line is not None and (found.line is None or found.line > wanted.line):
                break
            if wanted.row in (None, found.row) and wanted.line in (None, found.line):
                there += 1
                near = {other.found.line for other in (before, after) if other is not None}
                yield _view(row, job, source.name, shares_line=found.line is not None and found.line in near)
            before = row
    if wanted.is_one and not there:
        place = f"begins in line {wanted.line}" if wanted.line is not None else f"has the number {wanted.row}"
        msg = f"expected a row that {place}, found none in {escape(shard.path, 300)}"
        raise OptionError(f"{msg}; SOURCE:LINE counts lines from 1, SOURCE#ROW rows from 0; tables have no lines")


def _with_next(rows: Iterator[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Yield each row with the one that comes next; what is there before an error is yielded before it is raised."""
    row, failure = next(rows, None), None
    while row is not None:
        after = None
        try:
            after = next(rows, None)
        except SourceError as error:
            failure = error
        yield row, after
        row = after
    if failure is not None:
        raise failure


def _view(row: Row, job: Job, name: str, *, shares_line: bool) -> View:
    origin = row.origin
    place = Place(origin.source, origin.line, origin.row, shares_line=shares_line and row.raw.first_read is None)
    try:
        return View(place, job.read(row.decoded(), origin))
    except RowError as error:
        row.place(error, name)
        return View(place, None, error)


def metadata_of(item: RedTeamAttempt) -> dict[str, Any]:
    """Return the metadata of an attempt that it has."""
    return {name: value for name, value in item.metadata().items() if value is not None}
