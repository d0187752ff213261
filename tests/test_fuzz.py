"""What is fuzzed, without fuzzing it: it holds of all it begins with, of whatever broke it once, and finds planted bugs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.target import CRASHES, Target
from fuzz.targets import TARGETS

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
KEPT = sorted(CRASHES.glob("*.bin"))


@EACH
def test_it_holds_of_its_seeds(target: Target) -> None:
    """Nothing is wrong with what fuzzing begins with, and none of it is what the planted bug waits for."""
    seeds = list(target.seeds())

    assert len(seeds) > 20
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


def test_what_was_found_once_is_kept_by_name() -> None:
    """The inputs that are kept are named for targets that there are."""
    assert {path.name.rpartition("-")[0] for path in KEPT} <= set(TARGETS)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_was_found_once_is_mended(path: Path) -> None:
    """An input that broke a target once does so no more."""
    TARGETS[path.name.rpartition("-")[0]].check(path.read_bytes())
