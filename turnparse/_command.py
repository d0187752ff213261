"""The command that makes an output again, from what the run was asked for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from turnparse._dialect import DEFAULT, Dialect
from turnparse._limits import MAX_EXPANSION, MAX_ROW_BYTES
from turnparse._target import Target
from turnparse._urls import is_url, redacted

USUAL: Final[Mapping[str, object]] = {
    "preset": "default",
    "diagnostics": "structural",
    "side": "chosen",
    "max_row_bytes": MAX_ROW_BYTES,
    "max_expansion": MAX_EXPANSION,
}
"""{option of `turnparse.convert`: the value that goes without saying}, beside None and False."""

GRAMMAR: Final = "GRAMMAR.lark"
"""What stands for the file of a grammar that was given as text."""


def command(sources: Iterable[str], output: str, dialect: Dialect, options: Mapping[str, object]) -> str:
    """Return the command for a shell.

    Args:
        sources: the sources, as they were named.
        output: the output.
        dialect: the dialect.
        options: {name as `turnparse.convert` has it: value}; only what changes an output.
    """
    words = ["turnparse", "convert", *map(_source, sources), "--output", output, *_options(dialect, options)]
    return " ".join(map(_quoted, words))


def last_name(output: str) -> str:
    """Return the last name of a path; of one that has none, as ``./``, one that will do."""
    name = output.rstrip("/").rpartition("/")[2] if is_url(output) else os.path.basename(os.path.normpath(output))  # noqa: PTH119  # what a name may hold, Path may change
    return "output" if name in ("", ".", "..") else name


def _source(path: str) -> str:
    # What begins like an option would be taken for one.
    return f"./{path}" if path.startswith("-") and path != "-" else redacted(path)


def _options(dialect: Dialect, options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        flag = "--" + {"policies": "policy"}.get(name, name.strip("_")).replace("_", "-")
        if isinstance(value, Mapping):
            for key in sorted(value):
                yield from (flag, f"{key}={value[key]}")
        elif value is True:
            yield flag
        elif value is not None and value is not False and value != USUAL.get(name):
            yield from (flag, value.name if isinstance(value, Target) else str(value))
    first, *labels = dialect.origin or (GRAMMAR,)
    if first != DEFAULT:
        yield from ("--dialect", first)
    for label in labels:
        yield from ("--label", label)


def _quoted(word: str) -> str:
    """Return *word* as a shell reads it; what could not be printed, or would hide something, as its bytes."""
    if word.isprintable():
        return shlex.quote(word)
    shown = []
    for character in word:
        if character.isprintable():
            shown.append(f"\\{character}" if character in "'\\" else character)
        else:
            shown += [f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape")]
    return f"$'{''.join(shown)}'"
