"""What is fuzzed: a function of bytes, where its inputs begin, and a bug to be found in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from fuzz.mutators import Mutator

CRASHES = Path(__file__).parent / "crashes"
"""Where inputs are kept that something was once wrong with, `<target>-<sha>.bin`."""


@attrs.frozen
class Target:
    """Something that is fuzzed.

    Attributes:
        name: what the command calls it.
        about: what holds of every input.
        check: raises if it does not hold of an input.
        seeds: returns the inputs to begin with.
        plant: plants a bug, until the context is left.
        trigger: an input that the planted bug shows on.
        mutator: changes inputs.
        longest: how many bytes an input may have.
    """

    name: str
    about: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    plant: Callable[[], AbstractContextManager[object]]
    trigger: bytes
    mutator: Mutator
    longest: int = 4096


def crash_name(target: str, data: bytes) -> str:
    """Return the name of the file that keeps an input of a *target*."""
    return f"{target}-{hashlib.sha256(data).hexdigest()[:16]}.bin"
