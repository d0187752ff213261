"""Shards: the files that a list of sources names, and the output that each of them goes to."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import attrs

from turnparse._errors import FaultError, OptionError, SourceError, escape
from turnparse._retries import UnreachedError
from turnparse._sources import STDIN
from turnparse._stores import file_name, joined, located, remote_store
from turnparse._streams import reason
from turnparse._urls import CHAINED, is_url, redacted

SET_ASIDE_SUFFIX: Final = ".set-aside.jsonl"
MANIFEST_SUFFIX: Final = ".manifest.json"
FOLDER_MANIFEST: Final = "turnparse-manifest.json"
JSON_ENDINGS: Final = tuple(
    f".{kind}{zipped}" for kind in ("jsonl", "ndjson", "json") for zipped in ("", ".gz", ".zst")
)
ENDINGS: Final = (*JSON_ENDINGS, ".parquet", ".arrow", ".arrows", ".feather")
"""What the files of a folder end in that are sources; the longest that fits is left out of an output's name."""

OWN_ENDINGS: Final = (SET_ASIDE_SUFFIX, *(ending + MANIFEST_SUFFIX for ending in ENDINGS))
"""What files end in that runs have written beside outputs: they are no sources unless they are named."""


def is_own(path: str) -> bool:
    """Tell whether a file is one that runs write beside outputs."""
    return path.endswith(OWN_ENDINGS) or os.path.basename(path) == FOLDER_MANIFEST  # noqa: PTH119  # see below


@attrs.frozen
class Shard:
    """One file to read.

    Attributes:
        path: the file, or ``-``.
        inner: its path within the folder or pattern that it was found by, or its name.
    """

    path: str
    inner: str

    @property
    def stem(self) -> str:
        """`inner` without its ending, if that is a known one."""
        ending = max((ending for ending in ENDINGS if self.inner.endswith(ending)), key=len, default="")
        return self.inner.removesuffix(ending)


def paths_of(sources: object) -> list[str]:
    """Return what *sources* are, a path or paths.

    Raises:
        ArgumentError: if a source is no path.
    """
    if isinstance(sources, (str, os.PathLike)) or not isinstance(sources, Iterable):
        sources = [sources]
    return [located(source, "a source") for source in sources]


def shards_of(sources: object) -> list[Shard]:
    """Return the files that *sources* name, in their order; those of a folder or pattern sorted by their paths.

    Args:
        sources: a path, or paths: of files, of folders, which are looked through to the bottom for files with one of
            `ENDINGS` but for hidden files, set-aside files and manifests, or patterns with ``*``, ``?``, ``[]`` or ``**``,
            which leave the latter two out too unless they end like one. A file of that very name comes before a pattern; ``-`` is
            standard input.

    Raises:
        ArgumentError: if a source is no path.
        OptionError: if there is none, or standard input is named twice.
        SourceError: if a folder or pattern has no files.
    """
    paths = paths_of(sources)
    if not paths:
        msg = "expected at least one source, found none"
        raise OptionError(msg)
    if paths.count(STDIN) > 1:
        msg = f"expected {STDIN} (standard input) at most once among the sources"
        raise OptionError(msg)
    return [shard for path in paths for shard in _found(path)]


def _found(path: str) -> list[Shard]:
    if is_url(path):
        return _elsewhere(path)
    if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a name is too long
        return _in_folder(path)
    if path == STDIN or os.path.lexists(path) or not glob.has_magic(path):
        # What cannot be opened is told when it is.
        return [Shard(path, Path(path).name)]
    found = [found for found in glob.glob(path, recursive=True) if _may_be_read(found)]  # noqa: PTH207  # patterns may be absolute
    if not is_own(path):
        found = [file for file in found if not is_own(file)]
    files = sorted(found, key=lambda file: Path(file).parts)
    if not files:
        raise _none_fits(escape(path, 300))
    root = _fixed_part(path)
    return [Shard(file, os.path.relpath(file, root)) for file in files]


def _elsewhere(path: str) -> list[Shard]:
    """Return the files that a URL names: one, those of a folder, or those that a pattern fits."""
    store = remote_store()
    name = escape(redacted(path), 300)
    is_pattern = store.has_magic(path)
    try:
        if not is_pattern and not store.is_folder(path):
            return [Shard(path, file_name(path))]
        found = store.matching(path) if is_pattern else store.files_in(path)
    except UnreachedError as error:
        raise FaultError(
            f"expected to look up what there is, found: {reason(error)}; try again later", source=name
        ) from None
    except OSError as error:
        raise SourceError(
            f"expected a file, folder or pattern that can be looked up, found: {reason(error)}", source=name
        ) from None
    if astray := [file for file, inner in found if ".." in inner.split("/") or CHAINED.match(file)]:
        # A store of objects takes any name; one would lead out of the folder of outputs, the other to another store.
        msg = f"expected names of files that stay in their folder, found {escape(redacted(astray[0]), 300)!r}; name the others by a pattern"
        raise SourceError(msg, source=name)
    if not is_pattern:
        found = [file for file in found if _is_source(file[1])]
    elif not is_own(path):
        found = [file for file in found if not is_own(file[1])]
    if not found:
        raise _none_fits(name) if is_pattern else _no_sources(name)
    return sorted((Shard(*file) for file in found), key=lambda shard: shard.inner.split("/"))


def _is_source(inner: str) -> bool:
    """Tell whether a file, of that path in a folder, is a source."""
    return inner.endswith(ENDINGS) and not is_own(inner) and not any(part.startswith(".") for part in inner.split("/"))


def _none_fits(name: str) -> SourceError:
    return SourceError("expected a pattern that fits some file, found none", source=name)


def _no_sources(name: str) -> SourceError:
    return SourceError(f"expected a folder with files that end in {', '.join(ENDINGS)}, found none", source=name)


def _fixed_part(pattern: str) -> str:
    """Return the folder of *pattern* that comes before anything that may vary."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:fixed])) if fixed else "."


def _may_be_read(path: str) -> bool:
    """Tell whether *path* is a file, or a link to nothing, which is told of when it is opened; a pipe would be waited for."""
    return os.path.isfile(path) or not os.path.exists(path)  # noqa: PTH110,PTH113  # what a name may hold, Path may change


def _refuse(error: OSError) -> NoReturn:
    msg = f"expected a folder that can be looked through, found: {escape(error.strerror or str(error), 200)}"
    raise SourceError(msg, source=escape(str(error.filename), 300)) from None


def _in_folder(path: str) -> list[Shard]:
    found = []
    for folder, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if _is_source(name):
                file = os.path.join(folder, name)  # noqa: PTH118  # what a name may hold, Path may change
                if _may_be_read(file):
                    found.append(Shard(file, os.path.relpath(file, path)))
    if not found:
        raise _no_sources(escape(path, 300))
    return sorted(found, key=lambda shard: Path(shard.inner).parts)


def outputs_in(folder: str, shards: list[Shard], ending: str) -> list[str]:
    """Return the output in *folder* for each of *shards*: its path there, with *ending* in place of its own.

    Raises:
        OptionError: if two would be the same.
    """
    outputs = [joined(folder, f"{'stdin' if shard.path == STDIN else shard.stem}.{ending}") for shard in shards]
    seen: dict[str, str] = {}
    for shard, output in zip(shards, outputs, strict=True):
        if output in seen:
            both = f"{escape(redacted(seen[output]))} and {escape(redacted(shard.path))}"
            msg = f"expected sources with an output of their own each, found that {both} both go to {escape(redacted(output))!r}"
            raise OptionError(f"{msg}; convert them to different folders")
        seen[output] = shard.path
    return outputs
