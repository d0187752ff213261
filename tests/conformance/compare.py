"""One check of one source: what turnparse wrote, as its consumer reads it, beside what the rows mean."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import attrs

import turnparse
from conformance.check import Check, Meant, Record
from conformance.sources import meant, rows_of

MUTATED: Final = 5
"""Rows of each source whose records are broken."""

OPTIONS: Final[dict[str, Any]] = {"preset": "faithful", "policies": {"target-rule": "set-aside"}}
"""What rows are converted with: nothing is mended, since the reference reads what the text says; and so every oddity
is there, so that all that a consumer can't read must be kept from it by the target's rules."""

NOWHERE: Final = object()
"""What stands beside a record that did not arrive, or that was not expected; equal to nothing else."""


@attrs.frozen
class Outcome:
    """What became of a source. No text of it is kept, nor any message of a consumer, which may quote one.

    Attributes:
        rows: rows of the source.
        set_aside: rows that turnparse did not write.
        records: records that it wrote.
        accepted: records that the consumer neither refused nor left out.
        equal: records that arrived as they were meant.
        mutations: records that were broken on purpose.
        caught: those of them that did not arrive as if nothing was broken.
        by_default: rows that turnparse sets aside where no option but the target is given.
        problem: what kept the check from being made, or None.
    """

    rows: int = 0
    set_aside: int = 0
    by_default: int = 0
    records: int = 0
    accepted: int = 0
    equal: int = 0
    mutations: int = 0
    caught: int = 0
    problem: str | None = None

    @property
    def held(self) -> bool:
        """Whether nothing of it went wrong; also where a target takes no row of the source."""
        clean = self.accepted == self.equal == self.records and self.caught == self.mutations
        return clean and self.problem is None


@attrs.frozen
class Written:
    """What turnparse made of a source.

    Attributes:
        output: the file; it need not be there if no row was written.
        rows: rows of the source.
        meant: what the rows that were written mean, in order.
        by_default: rows that are set aside where no option but the target is given.
    """

    output: Path
    rows: int
    meant: list[Meant]
    by_default: int


def compared(check: Check, source: Path, folder: Path) -> Outcome:
    """Convert *source* to the check's target, and tell whether it arrives as it is meant.

    Args:
        check: the check.
        source: a file of JSON lines.
        folder: an empty folder to write in.
    """
    try:
        written = _written(check, source, folder)
    except turnparse.OptionError as error:
        missing = str(error).startswith("expected a target (")
        return Outcome(problem="turnparse has no such target" if missing else str(error))
    except turnparse.TurnparseError as error:
        return Outcome(problem=f"conversion failed: {type(error).__name__}")
    set_aside = written.rows - len(written.meant)
    if not written.meant:
        return Outcome(rows=written.rows, set_aside=set_aside, by_default=written.by_default)
    counts = Outcome(
        rows=written.rows,
        set_aside=set_aside,
        by_default=written.by_default,
        records=len(_records(written.output)),
    )
    try:
        expected = [list(check.expected(row)) for row in written.meant]
    except Exception as error:  # noqa: BLE001  # of a row that should have been set aside there may be nothing to expect
        problem = f"a row was written of which nothing is expected: {type(error).__name__}"
        return attrs.evolve(counts, problem=problem)
    try:
        return _read(check, written.output, expected, folder, counts)
    except Exception as error:  # noqa: BLE001  # whatever a consumer raises of a whole file is to be told, not to stop us
        return attrs.evolve(counts, problem=f"could not be read: {type(error).__name__}")


def _written(check: Check, source: Path, folder: Path) -> Written:
    output, aside = folder / f"output.{check.ending}", folder / "set-aside.jsonl"
    turnparse.convert(source, output, to=check.target, set_aside=aside, **OPTIONS | check.options)
    usual = turnparse.convert(source, folder / f"default.{check.ending}", to=check.target)
    left_out = {row["line"] for row in rows_of(aside)} if aside.exists() else set()
    rows = list(rows_of(source))
    said = [meant(row) for line, row in enumerate(rows, 1) if line not in left_out]
    return Written(output, len(rows), said, usual.rows_set_aside)


def _read(check: Check, output: Path, expected: Sequence[Sequence[Any]], folder: Path, counts: Outcome) -> Outcome:
    found = list(check.read(output))
    wanted = [answer for row in expected for answer in row]
    counts = attrs.evolve(
        counts,
        accepted=sum(map(_accepted, found)),
        equal=sum(bool(one == other) for one, other in zip_longest(found, wanted, fillvalue=NOWHERE)),
    )
    if not len(found) == len(wanted) == counts.records:
        problem = f"{counts.records} records were written, {len(wanted)} expected, {len(found)} answered for"
        return attrs.evolve(counts, problem=problem)
    caught = _mutated(check, _records(output), list(map(len, expected)), folder)
    return attrs.evolve(counts, mutations=len(caught), caught=sum(caught))


def _accepted(answer: Any) -> bool:
    return answer is not None and not isinstance(answer, BaseException)


def _mutated(check: Check, records: Sequence[Record], sizes: Sequence[int], folder: Path) -> list[bool]:
    """Break records of a handful of rows, one at a time beside the others of its row; tell of each if it is caught.

    Args:
        check: the check.
        records: all records.
        sizes: how many there are of each row.
        folder: where they are written.
    """
    chosen = range(0, len(sizes), max(1, len(sizes) // MUTATED))[:MUTATED]
    caught = []
    for row in chosen:
        start = sum(sizes[:row])
        sound = list(records[start : start + sizes[row]])
        before = list(check.read(_file(sound, folder / f"sound-{row}.{check.ending}")))
        for at in range(len(sound)):
            broken = copy.deepcopy(sound)
            broken[at] = check.mutate(broken[at])
            # A name is used once: `datasets` caches what it has read by the name of the file.
            file = _file(broken, folder / f"broken-{row}-{at}.{check.ending}")
            caught.append(_accepted(before[at]) and not _same(check, file, at, before[at]))
    return caught


def _same(check: Check, file: Path, at: int, answer: Any) -> bool:
    """Tell whether a record arrives as *answer*, as if it was not broken."""
    try:
        found = list(check.read(file))
    except ImportError:  # that is no refusal: the consumer is not there
        raise
    except Exception:  # noqa: BLE001  # whatever a consumer raises is its refusal
        return False
    return at < len(found) and bool(found[at] == answer)


def _records(file: Path) -> list[Record]:
    if file.suffix != ".parquet":
        return list(rows_of(file))
    import pyarrow.parquet

    return list(pyarrow.parquet.read_table(file).to_pylist())


def _file(records: Sequence[Record], file: Path) -> Path:
    """Write records as turnparse would have."""
    if file.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), file)
    else:
        file.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return file
