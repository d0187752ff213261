"""Fuzzes one target, in a process that libFuzzer ends: `python -m fuzz.run_inside TARGET FOUND PLANT OPTION...`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from random import Random

import atheris

with atheris.instrument_imports(include=["turnparse"]):
    import turnparse

    # Modules that are imported only when they are needed would not be instrumented then.
    for module in walk_packages(turnparse.__path__, "turnparse."):
        if module.name != "turnparse.__main__":
            import_module(module.name)

from fuzz import plants  # after turnparse, which it imports
from fuzz.mutators import Draw, mutated  # as above
from fuzz.target import Target, crash_name  # as above
from fuzz.targets import TARGETS  # as above


def place(error: BaseException) -> str:
    """Return what tells *error* from others: its type, and the innermost lines of turnparse and of what checks it."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if "/turnparse/" in frame.filename][-1:] + frames[-1:]
    return f"{type(error).__name__} {[(Path(frame.filename).name, frame.lineno) for frame in inner]}"


def kept(target: Target, found: Path) -> Callable[[bytes], None]:
    """Return the check of *target*, which keeps each input that it fails on in a new way in *found*, and goes on."""
    known: set[str] = set()

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except Exception as error:  # noqa: BLE001  # whatever is raised is a crash
            if (where := place(error)) not in known:
                known.add(where)
                (found / crash_name(target.name, data)).write_bytes(data)
                traceback.print_exc()

    return check


def main(name: str, found: str, plant: str, *options: str) -> None:
    """Fuzz a target, or, with a *plant*, until its planted bug is found."""
    target = TARGETS[name]
    if plant != "none":
        target.plant().__enter__()  # libFuzzer ends the process before it could be left
        plants.rare = atheris.instrument_func(plants.rare)

    def mutator(data: bytes, size: int, seed: int) -> bytes:
        return mutated(Draw(Random(seed), size, atheris.Mutate), data, target.mutator)

    check = target.check if plant != "none" else kept(target, Path(found))
    atheris.Setup([sys.argv[0], *options], check, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
