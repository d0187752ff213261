"""Modules that a consumer imports, and that what is called of it never uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import attrs


class Anything(type):
    """A class that has whatever is asked of it, which are such classes, and that can be called with anything."""

    def __getattr__(cls, name: str) -> Any:
        """Make one more such class."""
        if name.startswith("__"):
            raise AttributeError(name)
        return cls.__class__.empty(name)

    @classmethod
    def empty(cls, name: str) -> Any:
        """Make a class of that name: something may inherit from it, or call it, and nothing comes of it."""
        return cls(name, (), {"__init__": lambda *_, **__: None})


class Stub(ModuleType):
    """A module that has whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        """Make what is asked for, once."""
        if name.startswith("__"):
            raise AttributeError(name)
        made = Anything.empty(name)
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
        # Or a package on the way to one of them.
        wanted = any(f"{fullname}.".startswith(f"{name}.") or name.startswith(f"{fullname}.") for name in self.names)
        return ModuleSpec(fullname, self, is_package=True) if wanted else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the stub."""
        return Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a stub is empty."""


def stub(names: Sequence[str]) -> None:
    """Let stubs stand in for modules, and for all modules within them, that are not installed."""
    # Last, so that nothing is taken away that is there: turnparse itself may need it.
    sys.meta_path.append(Stubs(tuple(names)))
