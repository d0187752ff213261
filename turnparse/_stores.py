"""Stores: where files are, in folders here or behind URLs. What is read or written is read or written through one."""

from __future__ import annotations

import io
import os
import posixpath
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from turnparse._digests import Content
from turnparse._errors import OptionError, escape, require_path
from turnparse._urls import is_url, name_of, redacted
from turnparse._whole import WholeFile, sync_folders
from turnparse._whole import remove_orphans as remove_orphans_here
from turnparse._whole import require_free as require_free_here

if TYPE_CHECKING:
    from turnparse._remote_store import RemoteStore

LOCAL_URL: Final = ("file://", "local://")
"""URLs of files that are here."""


MISTAKEN: Final = re.compile(r"https?:/(?!/)", re.IGNORECASE)
"""What a URL of the web begins with that lacks a slash."""


class Opened(Protocol):
    """A file open for reading, without a buffer."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...
    def state(self) -> tuple[int, object] | None:
        """Return its size, and what else changes when it does, as they are now; None of what cannot be read twice, as a pipe."""


class NewFile(Protocol):
    """A file being written: `finish`, then `place`, or `discard` at any time, as of a `WholeFile`."""

    @property
    def file(self) -> IO[bytes]: ...
    @property
    def placed(self) -> bool: ...
    @property
    def content(self) -> Content | None: ...
    def finish(self) -> None: ...
    def place(self) -> None: ...
    def discard(self) -> None: ...


class Store(Protocol):
    """What is asked of a place where files are. Calls raise `OSError` or `ValueError` where it fails."""

    def is_folder(self, path: str) -> bool:
        """Tell whether *path* is a folder."""

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at *path*, if only a link to nothing."""

    def is_link(self, path: str) -> bool:
        """Tell whether *path* is a symbolic link."""

    def identity(self, path: str) -> str:
        """Return the same for each path of one file."""

    def size(self, path: str) -> int:
        """Return how many bytes a regular file has; raise `OSError` of anything else."""

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return {path: how many bytes it has, or None of what is no regular file}, of those *paths* that are there."""

    def open(self, path: str) -> Opened:
        """Return a file open for reading."""

    def read(self, path: str) -> bytes:
        """Return all that a file holds; raise `FileNotFoundError` if there is none."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def make_folder(self, path: str) -> None:
        """Make a folder, and those that it is in, if they are not there."""

    def new_file(self, path: str, *, new: bool) -> NewFile:
        """Return a file to write, which replaces another or, if it is to be *new*, is refused its place by one."""

    def require_free(self, path: str) -> None:
        """Check that there is nothing at *path*; raise `TakenError` if there is."""

    def sync(self, paths: Iterable[str]) -> None:
        """Make the names of files safe, as their contents are."""

    def remove_orphans(self, paths: Iterable[str]) -> None:
        """Remove what runs that were killed have left of files that were to be at *paths*."""


def state_of(file: Any) -> tuple[int, object] | None:
    """Return the size of an open file and the time of its last change; None of what is no regular file.

    A change that leaves the size, by somebody who puts that time back, is not seen. The time that nobody can put
    back (``ctime``) would show it, but so it would a link made, or rights changed, and these are no faults.
    """
    try:
        state = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None


class LocalFile(io.FileIO):
    """A file here, open for reading."""

    def state(self) -> tuple[int, object] | None:
        """Return what `state_of` tells of it."""
        return state_of(self)


class LocalStore:
    """Files in folders here. What a name may hold, `Path` may change: so it is left out where that matters."""

    def is_folder(self, path: str) -> bool:
        """Tell whether *path* is a folder; none is where a name is too long."""
        return os.path.isdir(path)  # noqa: PTH112

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at *path*; nothing is where a name is too long."""
        return os.path.lexists(path)

    def is_link(self, path: str) -> bool:
        """Tell whether *path* is a symbolic link."""
        return os.path.islink(path)  # noqa: PTH114

    def identity(self, path: str) -> str:
        """Return where *path* leads."""
        return os.path.realpath(path)

    def size(self, path: str) -> int:
        """Return how many bytes a file has. A pipe has none, and would be waited for."""
        found = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode):
            raise OSError("expected a file")
        return found.st_size

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return {path: how many bytes it has, or None of what is no regular file}, of those *paths* that are there."""
        found: dict[str, int | None] = {}
        for path in filter(self.exists, paths):
            found[path] = None
            with suppress(OSError, ValueError):
                found[path] = self.size(path)
        return found

    def open(self, path: str) -> LocalFile:
        """Return a file open for reading."""
        return LocalFile(path, "rb")

    def read(self, path: str) -> bytes:
        """Return all that a file holds."""
        return Path(path).read_bytes()

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        Path(path).unlink(missing_ok=True)

    def make_folder(self, path: str) -> None:
        """Make a folder, and those that it is in."""
        Path(path).mkdir(parents=True, exist_ok=True)

    def new_file(self, path: str, *, new: bool) -> WholeFile:
        """Return a file to write."""
        return WholeFile(path, new=new)

    def require_free(self, path: str) -> None:
        """Check that there is nothing at *path*."""
        require_free_here(path)

    def sync(self, paths: Iterable[str]) -> None:
        """Make the names of files safe, those in the same folder at once."""
        sync_folders(paths)

    def remove_orphans(self, paths: Iterable[str]) -> None:
        """Remove what runs that were killed have left under temporary names."""
        remove_orphans_here(paths)


LOCAL: Final = LocalStore()


@cache
def remote_store() -> RemoteStore:
    """Return the store of files elsewhere."""
    # fsspec takes a while to load.
    from turnparse._remote_store import RemoteStore

    return RemoteStore()


def store_of(path: str) -> Store:
    """Return the store that *path* is in."""
    if is_url(path):
        return remote_store()
    return LOCAL


def located(value: object, name: str) -> str:
    """Return *value* as the text of a path or URL; what is here without its scheme.

    Raises:
        ArgumentError: if it is neither a `str` nor a path.
        OptionError: if it is a URL but for a slash.
    """
    path = require_path(value, name)
    if MISTAKEN.match(path):
        # As a path of a file here it would be shown as it is, with a password that it may hold.
        msg = f"expected {name} to be a URL with two slashes, found {escape(redacted(path), 300)!r}"
        raise OptionError(f"{msg}; write the second, or ./ before the name of a file")
    scheme = next((scheme for scheme in LOCAL_URL if path.startswith(scheme)), "")
    return path.removeprefix(scheme)


def joined(folder: str, inner: str) -> str:
    """Return the path of what is in *folder* under the path *inner*."""
    return posixpath.join(folder, inner) if is_url(folder) else str(Path(folder) / inner)


def folder_of(path: str) -> str:
    """Return the folder that *path* is in; ``.`` for a name alone."""
    return (posixpath if is_url(path) else os.path).dirname(path) or "."


def file_name(path: str) -> str:
    """Return the name of a file in its folder."""
    return name_of(path) if is_url(path) else Path(path).name


def beside(path: str, name: str) -> str:
    """Return the path of what has *name* in the folder of *path*."""
    return posixpath.join(folder_of(path), name) if is_url(path) else str(Path(path).with_name(name))


def inside(path: str, folder: str) -> str:
    """Return *path* as it is seen from *folder*; a URL as it is, if it is not in that."""
    if is_url(path):
        return path.removeprefix(folder.rstrip("/") + "/")
    return path if is_url(folder) else os.path.relpath(path, folder)


def write_whole(path: str, data: bytes, *, new: bool = False) -> None:
    """Put *data* in the place of *path*, whole; if it is to be *new*, only where nothing is.

    Raises:
        TakenError: if it is to be new, and something has that name.
        OSError, ValueError: if that fails; then nothing is left of it.
    """
    store = store_of(path)
    file = store.new_file(path, new=new)
    try:
        file.file.write(data)
        file.finish()
        file.place()
    finally:
        file.discard()
    store.sync([path])


def sync(paths: Iterable[str]) -> None:
    """Make the names of files safe.

    Raises:
        OSError: if that fails.
    """
    for store, some in _by_store(paths):
        store.sync(some)


def sizes(paths: Iterable[str]) -> dict[str, int | None]:
    """Return {path: how many bytes it has, or None of what is no regular file}, of those *paths* that are there.

    Raises:
        OSError: if that cannot be found out.
    """
    found: dict[str, int | None] = {}
    for store, some in _by_store(paths):
        found |= store.sizes(some)
    return found


def remove_orphans(paths: Iterable[str]) -> None:
    """Remove what runs that were killed have left of *paths*; what a living run writes stays."""
    for store, some in _by_store(paths):
        store.remove_orphans(some)


def _by_store(paths: Iterable[str]) -> list[tuple[Store, list[str]]]:
    found: dict[int, tuple[Store, list[str]]] = {}
    for path in paths:
        store: Any = store_of(path)
        found.setdefault(id(store), (store, []))[1].append(path)
    return list(found.values())
