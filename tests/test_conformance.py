"""The runner of the checks: which consumers pass, and which can't. No consumer is installed here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from conformance import __main__ as runner
from conformance.check import Check, Consumer, Meant, Record
from conformance.compare import MUTATED, OPTIONS, compared
from conformance.consumers._each import each
from conformance.environments import consumers
from conformance.results import Result, load, merge, save
from conformance.run_inside import results_of
from conformance.sources import SAMPLES, meant, rows_of, sources
from conformance.stubs import stub

import turnparse

PAIRS = SAMPLES / "pairs.jsonl"


def lines(path: Path) -> list[Any]:
    """Return records as a consumer has them that reads them right, and refuses one without a prompt."""
    with path.open(encoding="utf-8") as records:
        return [arrived(json.loads(record)) for record in records]


def arrived(record: Record) -> Any:
    """Return what of a record arrives."""
    return [record[name] for name in ("prompt", "chosen", "rejected")] if "prompt" in record else KeyError("prompt")


def expected(row: Meant) -> list[Any]:
    """Return what is to arrive of a row."""
    return [[row.prompt, row.chosen, row.rejected]]


def without_prompt(record: Record) -> Record:
    """Break a record."""
    del record["prompt"]
    return record


def check(read: Callable[[Path], list[Any]] = lines, **changes: Any) -> Check:
    """Return a check of the target of TRL by a consumer that is a function."""
    made = Check(target="trl", function="toy.read", read=read, expected=expected, mutate=without_prompt)
    return attrs.evolve(made, **changes)


def consumer(*checks: Check, **changes: Any) -> Consumer:
    """Return a consumer that is no distribution."""
    return attrs.evolve(Consumer(name="toy", version="1.2", requirements=(), checks=checks), **changes)


def result(toy: Check, *paths: Path) -> Result:
    """Return what becomes of a check of the sample, or of other sources."""
    return results_of(consumer(toy), paths or [PAIRS])[0]


class TestOfOneSource:
    """`compared`."""

    def test_right(self, tmp_path: Path) -> None:
        """All that was written arrives as it was meant, and what is broken does not."""
        outcome = compared(check(), PAIRS, tmp_path)

        assert outcome.held
        assert 0 < outcome.records == outcome.accepted == outcome.equal
        assert outcome.rows == 85 == outcome.records + outcome.set_aside
        assert outcome.mutations == outcome.caught == MUTATED

    def test_what_is_set_aside_is_not_expected(self, tmp_path: Path) -> None:
        """The rows that the summary says were set aside are those that are not compared."""
        aside = tmp_path / "aside.jsonl"
        summary = turnparse.convert(PAIRS, tmp_path / "alone.jsonl", to="trl", set_aside=aside, **OPTIONS)

        assert 0 < summary.rows_set_aside == compared(check(), PAIRS, tmp_path).set_aside

    def test_options(self, tmp_path: Path) -> None:
        """A check's own options come before those of all checks."""
        reported = compared(check(options={"policies": {"target-rule": "report"}}), PAIRS, tmp_path)

        assert reported.held
        assert reported.set_aside == 0

    def test_parquet(self, tmp_path: Path) -> None:
        """Parquet is read, and broken, as JSON lines are."""
        parquet = import_module("pyarrow.parquet")

        def read(path: Path) -> list[Any]:
            return [arrived(record) for record in parquet.read_table(path).to_pylist()]

        assert compared(check(read, ending="parquet"), PAIRS, tmp_path).held

    def test_two_records_a_row(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a target writes two records for a row, each of the two is broken for itself, beside the other."""

        def convert(source: Path, output: Path, **_: Any) -> turnparse.Summary:
            halves = [{"text": row[side]} for row in rows_of(source) for side in ("chosen", "rejected")]
            output.write_text("".join(f"{json.dumps(half)}\n" for half in halves), encoding="utf-8")
            return turnparse.Summary()

        monkeypatch.setattr(turnparse, "convert", convert)
        texts = check(
            lambda path: [record.get("text") for record in rows_of(path)],
            expected=lambda row: [row.row["chosen"], row.row["rejected"]],
            mutate=lambda _: {},
        )
        outcome = compared(texts, PAIRS, tmp_path)

        assert outcome.held
        assert outcome.records == 170
        assert outcome.caught == 2 * MUTATED

    def test_a_row_that_no_target_takes(self, tmp_path: Path) -> None:
        """A source of which no row is written is no failure of its own."""
        [_, attempts] = sources(None, tmp_path)
        outcome = compared(check(), attempts, tmp_path)

        assert outcome.held
        assert outcome.rows == outcome.set_aside == 13

    def test_attempts_are_meant_as_one_conversation(self, tmp_path: Path) -> None:
        """A row that is no pair means one conversation."""
        [_, attempts] = sources(None, tmp_path)
        conversations = check(
            lambda path: [json.loads(record)["messages"] for record in path.read_text(encoding="utf-8").splitlines()],
            target="messages",
            expected=lambda row: [row.prompt + row.chosen],
            mutate=lambda record: record | {"messages": []},
        )

        assert compared(conversations, attempts, tmp_path).equal == 13


class TestWhatFails:
    """Each way in which a check can fail."""

    def test_a_row_is_dropped(self) -> None:
        """A consumer that drops a record without a word is not passed over."""
        assert "84" not in str(result(check()).problems)
        assert "answered for" in result(check(lambda path: lines(path)[1:])).problems[0]

    def test_a_row_is_left_out(self) -> None:
        """Nor is one that says so."""
        found = result(check(lambda path: [None, *lines(path)[1:]]))

        assert not found.held
        assert "1 of" in found.problems[0]
        assert "refused or left out" in found.problems[0]

    def test_rows_change_places(self) -> None:
        """The order counts."""
        found = result(check(lambda path: lines(path)[::-1]))

        assert not found.held
        assert "misread" in found.problems[0]

    def test_a_mutation_is_not_caught(self) -> None:
        """A check that what is broken passes checks nothing."""
        found = result(check(mutate=lambda record: record | {"more": 1}))

        assert found.problems == [f"{MUTATED} of {MUTATED} broken records not noticed"]

    def test_a_mutation_is_not_caught_by_a_consumer_that_refuses_all(self) -> None:
        """To refuse what is broken is nothing to one that refuses what is sound."""
        found = result(check(lambda path: [KeyError() for _ in lines(path)]))

        assert found.total("caught") == found.total("accepted") == 0

    @pytest.mark.parametrize("error", [ImportError, ValueError])
    def test_the_file_is_refused(self, error: type[Exception]) -> None:
        """A consumer that refuses the whole file, or is not there, is told of by the error's name alone."""

        def read(path: Path) -> list[Any]:
            raise error(path.read_text(encoding="utf-8"))

        assert result(check(read)).problems[0] == f"could not be read: {error.__name__}"

    def test_a_row_should_have_been_set_aside(self) -> None:
        """Where a row was written that a target should not take, there may be nothing to expect of it."""
        found = result(check(expected=lambda row: [row.row["papyrus"]]))

        assert found.problems[0] == "a row was written of which nothing is expected: KeyError"

    def test_the_target_is_missing(self) -> None:
        """A target that turnparse does not have is a failure, and no crash."""
        assert result(check(target="papyrus")).problems == ["turnparse has no such target"]

    def test_an_option_is_unknown(self) -> None:
        """An option that turnparse does not have is told in its own words, which quote no row."""
        assert "papyrus" in result(check(options={"preset": "papyrus"})).problems[0]

    def test_nothing_is_checked(self, tmp_path: Path) -> None:
        """To have compared nothing is a failure."""
        [_, attempts] = sources(None, tmp_path)

        assert result(check(), attempts).problems == ["nothing was checked"]


class TestResults:
    """What is kept."""

    def test_merged_by_consumer(self, tmp_path: Path) -> None:
        """A consumer's results take the place of all its earlier ones; the others' stay."""
        ours, theirs = result(check()), attrs.evolve(result(check()), consumer="another")
        save(tmp_path / "results.json", [ours, attrs.evolve(ours, target="old"), theirs])
        merge(tmp_path / "results.json", [ours])

        assert load(tmp_path / "results.json") == [theirs, ours]

    def test_a_version_that_is_not_installed(self) -> None:
        """Where the consumer can't be installed, its version is the one the checks were written against."""
        found = results_of(consumer(check(), name="not-on-any-index"), [PAIRS])[0]

        assert found.version == "1.2"
        assert results_of(consumer(check(), name="attrs"), [PAIRS])[0].version == attrs.__version__

    @pytest.mark.parametrize(("target", "exit_code"), [("trl", 0), ("papyrus", 1)])
    def test_command(self, target: str, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command keeps results, shows them, and exits with 1 if a check does not hold."""
        toy = consumer(check(target=target))
        monkeypatch.setattr(runner, "consumers", lambda: {"toy": toy})
        monkeypatch.setattr(runner, "_checked", lambda *_: results_of(toy, [PAIRS]))
        kept = tmp_path / "results.json"
        ran = CliRunner().invoke(
            runner.main, ["toy", "--results", str(kept), "--environments", str(tmp_path / "there")]
        )

        assert ran.exit_code == exit_code
        assert target in ran.output
        assert [target] == [found.target for found in load(kept)]

    def test_an_unknown_consumer(self) -> None:
        """A name that no consumer has is told."""
        ran = CliRunner().invoke(runner.main, ["papyrus"])

        assert ran.exit_code == 2
        assert "expected a consumer" in ran.output


class TestConsumers:
    """The modules of consumers."""

    def test_all_are_sound(self) -> None:
        """Each can be imported where nothing of its consumer is installed, and no two checks are the same."""
        checks = [(one.target, one.function, found.name) for found in consumers().values() for one in found.checks]

        assert checks
        assert len(set(checks)) == len(checks)

    def test_what_is_expected_is_expected_of_every_pair(self) -> None:
        """What is expected can be told of a pair that says something on both sides."""
        row = meant({
            "chosen": "\n\nHuman: Which?\n\nAssistant: This.", "rejected": "\n\nHuman: Which?\n\nAssistant: That.",
        })  # fmt: skip

        for found in consumers().values():
            for one in found.checks:
                assert len(one.expected(row)) in {1, 2}, one.target

    def test_each_record_is_answered_for(self, tmp_path: Path) -> None:
        """`each` tells which record a consumer drops, and which it refuses, also of one that reads whole files."""

        def read(path: Path) -> list[int]:
            numbers = [int(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if 3 in numbers:
                raise ValueError
            return [number for number in numbers if number != 5]

        (tmp_path / "numbers.jsonl").write_text("".join(f"{number}\n" for number in range(8)), encoding="utf-8")
        found = each(tmp_path / "numbers.jsonl", read)

        assert found[:3] == [0, 1, 2]
        assert isinstance(found[3], ValueError)
        assert found[4:] == [4, None, 6, 7]

    def test_stubs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A stub has what is asked of it, and modules within; what is there is not replaced."""
        monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
        stub(("papyrus", "json", "scroll.ink"))
        within = import_module("papyrus.sheets.edges")
        made = type("Edge", (within.Base,), {})

        assert isinstance(made(1, torn=True), within.Base)
        assert within.Base.shape(2) is not None
        assert import_module("json").loads is json.loads
        assert import_module("scroll.ink").Dry is not None
        with pytest.raises(ImportError):
            import_module("scroll.quill")
        for name in [name for name in sys.modules if name.startswith(("papyrus", "scroll"))]:
            monkeypatch.delitem(sys.modules, name)
