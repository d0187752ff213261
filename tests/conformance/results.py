"""The results: of each check of each consumer what became of each source, in one file that is committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import attrs
from rich.table import Table

from conformance.check import Check, Consumer
from conformance.compare import Outcome

FILE: Final = Path(__file__).with_name("results.json")
COUNTS: Final = ("rows", "set_aside", "records", "accepted", "equal", "mutations", "caught")


@attrs.frozen
class Result:
    """What became of a check.

    Attributes:
        target: the target.
        consumer: who reads it.
        version: the consumer's version, as it is installed.
        function: what of it was called.
        how: how it is called.
        sources: {name of a source: what became of it}.
    """

    target: str
    consumer: str
    version: str
    function: str
    how: str
    sources: dict[str, Outcome]

    @classmethod
    def of(cls, consumer: Consumer, check: Check, sources: dict[str, Outcome]) -> Result:
        """Make the result of a check from what became of its sources, where the consumer is installed."""
        return cls(check.target, consumer.name, _version(consumer), check.function, consumer.how, sources)

    @classmethod
    def load(cls, record: dict[str, Any]) -> Result:
        """Make it from what `as_dict` gave."""
        sources = {name: Outcome(**outcome) for name, outcome in record["sources"].items()}
        return cls(**record | {"sources": sources})

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return attrs.asdict(self)

    def total(self, count: str) -> int:
        """Return the sum over all sources of one of `COUNTS`."""
        return sum(getattr(outcome, count) for outcome in self.sources.values())

    @property
    def problems(self) -> list[str]:
        """What went wrong, in words; where nothing was checked that is wrong, too."""
        told = [outcome.problem for outcome in self.sources.values() if outcome.problem]
        records, accepted, equal = (self.total(count) for count in ("records", "accepted", "equal"))
        if accepted < records:
            told.append(f"{records - accepted} of {records} records refused or left out")
        if equal < accepted:
            told.append(f"{accepted - equal} of {accepted} records misread")
        if missed := self.total("mutations") - self.total("caught"):
            told.append(f"{missed} of {self.total('mutations')} broken records not noticed")
        if not told and not (records and self.total("mutations")):
            told.append("nothing was checked")
        return list(dict.fromkeys(told))

    @property
    def held(self) -> bool:
        """Whether everything arrived as it is meant, and what was broken did not."""
        return not self.problems and all(outcome.held for outcome in self.sources.values())


def _version(consumer: Consumer) -> str:
    """Return the version that is installed, or the one the checks were written against where none can be."""
    try:
        return version(consumer.name)
    except PackageNotFoundError:
        return consumer.version


def load(file: Path) -> list[Result]:
    """Return the results in a file; none if there is no file."""
    return [Result.load(record) for record in json.loads(file.read_bytes())] if file.exists() else []


def save(file: Path, results: Iterable[Result]) -> None:
    """Write results, in an order that does not depend on that of the checks."""
    ordered = sorted(results, key=lambda result: (result.target, result.consumer, result.function))
    records = [result.as_dict() for result in ordered]
    file.write_text(f"{json.dumps(records, indent=1, sort_keys=True)}\n", encoding="utf-8")


def merge(file: Path, results: Sequence[Result]) -> None:
    """Put results in a file in place of all it has of the same consumers."""
    again = {result.consumer for result in results}
    save(file, [*(result for result in load(file) if result.consumer not in again), *results])


def table(results: Sequence[Result]) -> Table:
    """Return results for the eye."""
    made = Table("target", "consumer", *(count.replace("_", " ") for count in COUNTS), "how it is called", "verdict")
    for column in made.columns[2 : 2 + len(COUNTS)]:
        column.justify = "right"
    for result in results:
        counts = (f"{result.total(count):,}" for count in COUNTS)
        verdict = "; ".join(result.problems) or "held"
        made.add_row(result.target, f"{result.consumer} {result.version}", *counts, result.how, verdict)
    return made
