"""Modules that a consumer imports, and that what is called of it never uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import attrs


class Stub(ModuleType):
    """A module that has whatever is asked of it: each name is an empty class of its own."""

    def __getattr__(self, name: str) -> Any:
        """Make an empty class, once: something may inherit from it, and nothing of it does anything."""
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


@attrs.frozen
class Stubs(MetaPathFinder, Loader):
    """Finds a stub where one of *names*, or a module within it, is imported.

    Attributes:
        names: the modules.
    """

    names: tuple[str, ...]

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Return what makes a stub, if *fullname* is to be one."""
        del path, target
        wanted = any(fullname == name or fullname.startswith(f"{name}.") for name in self.names)
        return ModuleSpec(fullname, self, is_package=True) if wanted else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the stub."""
        return Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a stub is empty."""


def stub(names: Sequence[str]) -> None:
    """Replace modules, and all modules within them, by stubs: those that are imported from now on."""
    # A name of which a module is stubbed must be there itself: only the longest prefixes are asked for.
    sys.meta_path.insert(0, Stubs(tuple(names)))
