"""What is fuzzed, without fuzzing it: it holds of all it begins with, of whatever broke it once, and finds planted bugs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from fuzz import __main__ as runner
from fuzz import process
from fuzz.files import converted
from fuzz.mutators import Draw, mutated
from fuzz.plants import RARE
from fuzz.target import CRASHES, Target
from fuzz.targets import TARGETS
from hypothesis import given
from hypothesis import strategies as st

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
SEEDS = {name: list(target.seeds()) for name, target in TARGETS.items()}
KEPT = sorted(CRASHES.glob("*.bin"))


def one_byte(data: bytes, size: int) -> bytes:
    """Stand in for libFuzzer's changes: the last byte becomes another."""
    return (data[:-1] + bytes([data[-1] ^ 1]))[:size] if data else data


def rows_in(data: bytes) -> int:
    """Return how many rows an input stands for that is a file after a byte of choices; 0 if it cannot be read."""
    with TemporaryDirectory() as folder:
        made = converted(Path(folder), data[1:], workers=1)
    return 0 if made.summary is None or made.error else made.summary.rows_out


@EACH
def test_it_holds_of_its_seeds(target: Target) -> None:
    """Nothing is wrong with what fuzzing begins with, and none of it is what the planted bug waits for."""
    seeds = list(target.seeds())

    assert len(seeds) > 20
    if target.name != "convert_zipped":  # zipped bytes may be any
        assert max(sum(byte in seed for byte in RARE) for seed in seeds) < 2
    with target.plant():
        for seed in seeds:
            target.check(seed)


@EACH
def test_a_planted_bug_shows(target: Target) -> None:
    """An input that the planted bug waits for is found wrong, and right without the bug."""
    target.check(target.trigger)
    with target.plant(), pytest.raises(AssertionError):
        target.check(target.trigger)


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff", b"\xfe\xff" * 9])
@EACH
def test_any_bytes_are_an_input(target: Target, data: bytes) -> None:
    """A target takes any bytes, also none."""
    target.check(data)


@given(st.integers(0), st.integers(1, 4096), st.data())
@EACH
def test_a_changed_input_is_as_long_as_it_may_be(target: Target, seed: int, size: int, data: st.DataObject) -> None:
    """Whatever an input is, a change of it is an input too, no longer than asked for, and the same for the same seed."""
    given = data.draw(st.sampled_from(SEEDS[target.name]) | st.binary(max_size=64))[:size]
    made = [mutated(Draw(Random(seed), size, one_byte), given, target.mutator) for _ in range(2)]

    assert len(made[0]) <= size
    assert made[0] == made[1]


@pytest.mark.parametrize("name", ["convert_lines", "convert_zipped", "convert_stored"])
def test_changed_files_are_read_further(name: str) -> None:
    """Of readable files about half are so still when they are changed, and most are other files."""
    target = TARGETS[name]
    seeds = [seed for seed in SEEDS[name][::4] if len(seed) < target.longest // 2 and rows_in(seed)]
    made = [
        mutated(Draw(Random(at), target.longest, one_byte), seed, target.mutator)
        for at, seed in enumerate((seeds * 99)[:99])
    ]

    assert sum(rows_in(new) > 0 for new in made) > 0.4 * len(made)
    assert sum(new not in seeds for new in made) > 0.7 * len(made)


def test_what_was_found_once_is_kept_by_name() -> None:
    """The inputs that are kept are named for targets that there are."""
    assert {path.name.rpartition("-")[0] for path in KEPT} <= set(TARGETS)


def test_what_was_found_once_is_mended() -> None:
    """An input that broke a target once does so no more."""
    for path in KEPT:
        TARGETS[path.name.rpartition("-")[0]].check(path.read_bytes())


def test_the_dictionary_has_the_grammars_strings(tmp_path: Path) -> None:
    """What libFuzzer may put into inputs is written as it reads it, byte by byte."""
    lines = process.dictionary(tmp_path).read_text(encoding="ascii").splitlines()

    assert '"' + "".join(f"\\x{byte:02x}" for byte in b"Human") + '"' in lines


# The command, with a stand-in for the process that atheris runs in.

PARSE = TARGETS["parse"]
SAID = """\
#105\tINITED cov: 200 ft: 300 corp: 30/9Kb exec/s: 0 rss: 100Mb
#900\tNEW    cov: 231 ft: 330 corp: 41/9Kb lim: 80 exec/s: 10 rss: 118Mb L: 120/166 MS: 1 EraseBytes-
"""


def stand_in(code: int, found: bytes | None, said: str = SAID) -> Callable[..., Any]:
    """Return what stands in for `subprocess.run`: it finds an input, says something, and returns a code."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if found is not None:
            (Path(command[4]) / "crash-1").write_bytes(found)
        return subprocess.CompletedProcess(command, code, b"", said.encode())

    return run


def invoke(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], *arguments: str) -> Any:
    """Return the result of the command when processes are as *run* says."""
    monkeypatch.setattr(subprocess, "run", run)
    return CliRunner().invoke(runner.main, ["parse", "--minutes", "1", *arguments])


def test_the_command_tells_what_it_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A crash is kept, and makes the command fail; figures of processes that went down are added up."""
    monkeypatch.setattr(process, "RESTARTS", 3)
    kept = tmp_path / "crashes"
    result = invoke(monkeypatch, stand_in(77, b"oh"), "--crashes", str(kept), "--corpus", str(tmp_path / "corpus"))
    fine = invoke(monkeypatch, stand_in(0, None))

    assert (result.exit_code, fine.exit_code) == (1, 0)
    assert [path.read_bytes() for path in kept.glob("parse-*.bin")] == [b"oh"]
    assert "| 2,700 | 231 | 200 | 41 | 0 | 1 |" in result.stdout
    assert "| 900 | 231 | 200 | 41 | 0 | 0 |" in fine.stdout
    assert len(list((tmp_path / "corpus" / "parse").iterdir())) > 20


@pytest.mark.parametrize(
    ("found", "says", "code"),
    [(PARSE.trigger, "| found |", 0), (b"no bug", "| not found |", 1), (None, "| not found |", 1)],
)
def test_a_plant_counts_as_found_if_it_is_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: bytes | None, says: str, code: int
) -> None:
    """A planted bug is found when the input is wrong with it and right without it."""
    result = invoke(monkeypatch, stand_in(77 if found else 0, found), "--plant", "--crashes", str(tmp_path))

    assert (says in result.stdout, result.exit_code) == (True, code)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"no bug"] * (found == b"no bug")


def test_a_plant_is_not_a_bug_that_is_there_anyway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An input that is wrong without the planted bug says nothing of it, and is kept."""

    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(TARGETS, "parse", attrs.evolve(PARSE, check=broken))
    result = invoke(monkeypatch, stand_in(77, b"any"), "--plant", "--crashes", str(tmp_path))

    assert "| not found |" in result.stdout
    assert len(list(tmp_path.iterdir())) == 1


def test_a_process_that_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without atheris, say, there are no figures: what the process said is shown."""
    result = invoke(monkeypatch, stand_in(1, None, "ModuleNotFoundError: atheris"))

    assert "ModuleNotFoundError: atheris" in str(result.exception)


def test_the_command_lists_its_targets() -> None:
    """What there is to be fuzzed is listed; a name that is not there is refused with those that are."""
    assert CliRunner().invoke(runner.main, ["--list"]).stdout.count("\n") == len(TARGETS)
    refused = CliRunner().invoke(runner.main, ["no-such"])
    assert refused.exit_code == 2
    assert "convert_table" in refused.output
