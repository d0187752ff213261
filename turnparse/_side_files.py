"""Side files: what a consumer needs beside an output to read it, written when the output is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from turnparse._errors import OutputError, escape
from turnparse._sinks import STDOUT, failure, format_of
from turnparse._stores import beside, file_name, store_of, write_whole
from turnparse._target import SideFile, Target
from turnparse._urls import redacted

PLACE: Final = re.compile(r"\{(file|stem|format)\}")
QUOTED: Final = re.compile(rf'"{PLACE.pattern}"')

PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Names that mean themselves in YAML, and in the commands that load an output."""


def _values(output: str) -> dict[str, str]:
    """Return {place: what `SideFile` says of *output* there}."""
    name = file_name(output)
    ending = format_of(name)
    return {
        "file": name,
        "stem": name.removesuffix(f".{ending}") if ending else name,
        "format": "json" if ending.startswith("jsonl") else ending or "json",
    }


def filled(text: str, output: str) -> str:
    """Return *text* with what `SideFile` says of *output* in its places."""
    values = _values(output)
    return PLACE.sub(lambda place: values[place[1]], text)


def shown(text: str, output: str, path: str | None = None) -> str:
    """Return *text*, of YAML, Python or a command, with what it says of *output*: a name that is not plain in quotes.

    Args:
        text: the text.
        output: the output.
        path: where it is, if more is to be said of it than its name.
    """
    values = _values(output) | ({} if path is None else {"file": path})
    text = QUOTED.sub(lambda place: _string(values[place[1]]), text)
    return PLACE.sub(
        lambda place: values[place[1]] if PLAIN.fullmatch(values[place[1]]) else _string(values[place[1]]), text
    )


def _string(value: str) -> str:
    """Return *value* as a string in quotes, as JSON, YAML and Python all read it, but that JSON lacks the longer escapes."""
    plain = value.replace("\\", r"\\").replace('"', r"\"")
    return '"' + "".join(c if c.isprintable() else _escaped(ord(c)) for c in plain) + '"'


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def side_paths(target: Target, outputs: Iterable[str], *, shared: bool) -> list[str]:
    """Return the side files of *target* for each of *outputs*, those that outputs share or those that they do not."""
    return list(
        dict.fromkeys(
            beside(output, filled(side.name, output))
            for output in outputs
            for side in target.side_files
            if output != STDOUT and side.is_registry == shared
        )
    )


def write_side_files(target: Target, outputs: Iterable[str], *, new: bool = False) -> None:
    """Write the side files of *target* for each of *outputs*; there are none for standard output.

    Args:
        target: the target.
        outputs: the outputs.
        new: whether nothing may be there yet, but for what outputs share.

    Raises:
        OutputError: if one cannot be written, or holds something else than the entries of other outputs.
    """
    for output in outputs:
        if output == STDOUT:
            continue
        for side in target.side_files:
            path = beside(output, filled(side.name, output))
            try:
                text = _registered(path, side, output) if side.is_registry else shown(side.text, output)
                write_whole(path, text.encode(), new=new and not side.is_registry)
            except (OSError, ValueError) as error:
                raise failure(error, path, "a side file") from None


def _registered(path: str, side: SideFile, output: str) -> str:
    """Return what *path* is to hold: the entries that it has, and that of *output*."""
    entries: Any = {}
    with suppress(FileNotFoundError):
        try:
            entries = json.loads(store_of(path).read(path))
        except ValueError:
            entries = None
        if not isinstance(entries, dict):
            msg = "expected an object of JSON with an entry for each output, found something else; move it away"
            raise OutputError(msg, source=escape(redacted(path), 300))
    entry = _named(json.loads(side.text), output)
    return json.dumps(entries | {filled("{stem}", output): entry}, indent=2, ensure_ascii=False) + "\n"


def _named(value: Any, output: str) -> Any:
    """Return *value*, of JSON, with what it says of *output*."""
    if isinstance(value, dict):
        return {key: _named(inner, output) for key, inner in value.items()}
    if isinstance(value, list):
        return [_named(inner, output) for inner in value]
    return filled(value, output) if isinstance(value, str) else value
