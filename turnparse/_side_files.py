"""Side files: what a consumer needs beside an output to read it, written when the output is whole."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from turnparse._errors import OutputError, escape
from turnparse._sinks import STDOUT, failure, format_of
from turnparse._target import SideFile, Target
from turnparse._whole import write_whole


def filled(text: str, output: str) -> str:
    """Return *text* with the name of *output* in place of ``{file}``, and that without its ending in place of ``{stem}``."""
    name = Path(output).name
    ending = format_of(name)
    stem = name.removesuffix(f".{ending}") if ending else name
    return text.replace("{file}", name).replace("{stem}", stem)


def side_paths(target: Target, outputs: Iterable[str], *, shared: bool) -> list[str]:
    """Return the side files of *target* for each of *outputs*, those that outputs share or those that they do not."""
    return list(
        dict.fromkeys(
            str(Path(output).with_name(filled(side.name, output)))
            for output in outputs
            for side in target.side_files
            if output != STDOUT and side.is_registry == shared
        )
    )


def write_side_files(target: Target, outputs: Iterable[str]) -> None:
    """Write the side files of *target* for each of *outputs*; there are none for standard output.

    Raises:
        OutputError: if one cannot be written, or holds something else than the entries of other outputs.
    """
    for output in outputs:
        if output == STDOUT:
            continue
        for side in target.side_files:
            path = Path(output).with_name(filled(side.name, output))
            try:
                data = _registered(path, side, output) if side.is_registry else filled(side.text, output).encode()
                write_whole(str(path), data)
            except (OSError, ValueError) as error:
                raise failure(error, str(path), "a side file") from None


def _registered(path: Path, side: SideFile, output: str) -> bytes:
    """Return what *path* is to hold: the entries that it has, and that of *output*."""
    import orjson

    entries = {}
    if path.exists():
        with suppress(ValueError):
            entries = orjson.loads(path.read_bytes())
        if not isinstance(entries, dict) or not entries:
            msg = "expected an object of JSON with an entry for each output, found something else; move it away"
            raise OutputError(msg, source=escape(str(path), 300))
    entry = orjson.loads(filled(side.text, output))
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(entries | {filled("{stem}", output): entry}, option=options)
