"""Side files: what a consumer needs beside an output to read it, written when the output is whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from turnparse._errors import OptionError, OutputError, escape
from turnparse._sinks import STDOUT, failure, format_of
from turnparse._target import SideFile, Target

PLACE: Final = re.compile(r"\{(file|stem|format)\}")

PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names that mean themselves in YAML, and in the commands that load an output."""


def filled(text: str, output: str, quoted: Callable[[str], str] = str) -> str:
    """Return *text* with what `SideFile` says of *output* in its places, *quoted*."""
    name = Path(output).name
    ending = format_of(name)
    values = {
        "file": name,
        "stem": name.removesuffix(f".{ending}") if ending else name,
        "format": "json" if ending.startswith("jsonl") else ending or "json",
    }
    return PLACE.sub(lambda place: quoted(values[place[1]]), text)


def shown(text: str, output: str) -> str:
    """Return *text*, of YAML or a command, with what it says of *output*: a name that is not plain in quotes."""
    # A string of JSON is one of YAML.
    return filled(text, output, lambda value: value if PLAIN.fullmatch(value) else json.dumps(value))


def side_paths(target: Target, output: str) -> list[Path]:
    """Return where the side files of *target* stand that belong to *output*."""
    if output == STDOUT:
        return []
    # A link is followed: what it leads to is the file that others share.
    return [Path(os.path.realpath(Path(output).with_name(filled(side.name, output)))) for side in target.side_files]


def require_free(target: Target, outputs: Iterable[str], others: Iterable[str]) -> None:
    """Check that no side file of *outputs* takes the place of one of these, or of *others*.

    Raises:
        OptionError: if one does.
    """
    outputs = list(outputs)
    taken = {os.path.realpath(path) for path in (*outputs, *others) if path != STDOUT}
    for output in outputs:
        for path in side_paths(target, output):
            if str(path) in taken:
                msg = f"expected {escape(path.name)!r} to be free for what goes beside {escape(output)!r}, found it in use: move it away"
                raise OptionError(msg)


def write_side_files(target: Target, outputs: Iterable[str]) -> None:
    """Write the side files of *target* for each of *outputs*; there are none for standard output.

    Raises:
        OutputError: if one cannot be written, or holds something else than the entries of other outputs.
    """
    for output in outputs:
        for side, path in zip(target.side_files, side_paths(target, output), strict=False):
            try:
                text = _registered(path, side, output) if side.is_registry else shown(side.text, output)
                _replace(path, text.encode())
            except (OSError, ValueError) as error:
                raise failure(error, str(path), "a side file") from None


def _registered(path: Path, side: SideFile, output: str) -> str:
    """Return what *path* is to hold: the entries that it has, and that of *output*."""
    entries: Any = {}
    if path.exists():
        try:
            entries = json.loads(path.read_bytes())
        except ValueError:
            entries = None
        if not isinstance(entries, dict):
            msg = "expected an object of JSON with an entry for each output, found something else; move it away"
            raise OutputError(msg, source=escape(str(path), 300))
    entry = _named(json.loads(side.text), output)
    return json.dumps(entries | {filled("{stem}", output): entry}, indent=2, ensure_ascii=False) + "\n"


def _named(value: Any, output: str) -> Any:
    """Return *value*, of JSON, with what it says of *output*."""
    if isinstance(value, dict):
        return {key: _named(inner, output) for key, inner in value.items()}
    if isinstance(value, list):
        return [_named(inner, output) for inner in value]
    return filled(value, output) if isinstance(value, str) else value


def _replace(path: Path, data: bytes) -> None:
    """Put *data* in the place of *path*, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
