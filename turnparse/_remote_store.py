"""Stores elsewhere: the file systems that fsspec knows."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from turnparse._remote_files import RemoteFile, Upload, remove, require_free, spool_of
from turnparse._retries import tried
from turnparse._urls import HUB, MAGIC, WEB, WHOLE_OR_NOT, file_system, forget, scheme_of
from turnparse._whole import remove_orphans

MANY: Final = 8
"""Files of a folder from which on it is listed, rather than each of them asked for."""


class RemoteStore:
    """Files that URLs name. Calls raise `OptionError` where there is no file system for a URL, else `OSError`."""

    def is_folder(self, path: str) -> bool:
        """Tell whether *path* is a folder, or would be one of the files that begin with it."""
        if scheme_of(path) in WEB:
            return False
        if path.endswith("/"):
            return True
        # To ask fsspec whether it is a folder would not tell one that is none from one that cannot be asked for.
        info = self._info(path)
        return info is not None and info.get("type") == "directory"

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at *path*."""
        return self._info(path) is not None

    def is_link(self, path: str) -> bool:  # noqa: ARG002  # what every store answers
        """Tell whether *path* is a link: no store has them."""
        return False

    def identity(self, path: str) -> str:
        """Return the same for each path of one file."""
        fs, inner = file_system(path)
        if scheme_of(path) == HUB:
            found = tried(lambda: fs.resolve_path(inner))
            if hasattr(found, "repo_id"):
                # The branch that is meant where none is named may be named too.
                return f"{HUB}://{found.repo_type}/{found.repo_id}@{found.revision}/{found.path_in_repo}"
        return str(fs.unstrip_protocol(inner))

    def size(self, path: str) -> int:
        """Return how many bytes a file has."""
        info = self._info(path)
        if info is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if info.get("type") == "directory" or not isinstance(info.get("size"), int):
            raise OSError(errno.EINVAL, "its size is not told")
        return int(info["size"])

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return {path: how many bytes it has, or None of what is no regular file}, of those *paths* that are there.

        Of many in a folder that is listed, once: to ask for each takes as long as all the rest of a run.
        """
        folders: dict[str, list[str]] = {}
        for path in paths:
            folders.setdefault(path.rpartition("/")[0], []).append(path)
        found: dict[str, int | None] = {}
        for some in folders.values():
            told = self._listing(some[0]) if len(some) >= MANY else {path: self._info(path) for path in some}
            for path in some:
                info = told.get(path)
                if info is not None:
                    size = info.get("size")
                    found[path] = size if info.get("type") != "directory" and isinstance(size, int) else None
        return found

    def _listing(self, path: str) -> dict[str, dict[str, Any] | None]:
        """Return {URL: what is told of it} of all that is in the folder of *path*, whose URLs begin as it does."""
        fs, inner = file_system(path)
        forget(fs, inner)
        root = path.rpartition("/")[0]
        try:
            entries = tried(lambda: fs.ls(inner.rpartition("/")[0], detail=True))
        except FileNotFoundError:
            return {}
        return {f"{root}/{entry['name'].rstrip('/').rpartition('/')[2]}": entry for entry in entries}

    def open(self, path: str) -> RemoteFile:
        """Return a file open for reading."""
        return RemoteFile(path)

    def read(self, path: str) -> bytes:
        """Return all that a file holds."""
        fs, inner = file_system(path)
        forget(fs, inner)
        data: bytes = tried(lambda: fs.cat_file(inner))
        return data

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        if self.exists(path):
            remove(*file_system(path))

    def make_folder(self, path: str) -> None:
        """Make a folder, where a file needs one to be in: in a store of objects none does."""
        if scheme_of(path) not in (*WHOLE_OR_NOT, *WEB):
            fs, inner = file_system(path)
            tried(lambda: fs.makedirs(inner, exist_ok=True))

    def new_file(self, path: str, *, new: bool) -> Upload:
        """Return a file to write."""
        return Upload(path, new=new)

    def require_free(self, path: str) -> None:
        """Check that there is nothing at *path*."""
        require_free(*file_system(path))

    def sync(self, paths: Iterable[str]) -> None:
        """Make the names of files safe: a store has done so when it has taken them."""

    def remove_orphans(self, paths: Iterable[str]) -> None:
        """Remove what dead runs have left here of files that were to go to *paths*."""
        with suppress(OSError):
            remove_orphans([spool_of(path) for path in paths])

    def files_in(self, path: str) -> list[tuple[str, str]]:
        """Return each file below a folder: its URL, and its path from the folder on."""
        fs, inner = file_system(path)
        forget(fs, inner)
        root = inner.rstrip("/")
        found = _listed(fs, lambda: fs.find(inner))
        return [(str(fs.unstrip_protocol(file)), file[len(root) :].lstrip("/")) for file in found]

    def matching(self, pattern: str) -> list[tuple[str, str]]:
        """Return each file that a pattern fits: its URL, and its path from the last folder on that has no pattern in its name."""
        fs, inner = file_system(pattern)
        forget(fs, inner)
        found = _listed(fs, lambda: fs.glob(inner, detail=True))
        files = [file for file, info in found.items() if info.get("type") != "directory"]
        root = MAGIC.split(inner, maxsplit=1)[0].rpartition("/")[0]
        paths = [(str(fs.unstrip_protocol(file)), file[len(root) :].lstrip("/")) for file in files]
        # As of files here, a pattern fits hidden ones only if it says so.
        asks_for_hidden = "/." in inner[len(root) :]
        return [(url, path) for url, path in paths if asks_for_hidden or "/." not in f"/{path}"]

    def has_magic(self, path: str) -> bool:
        """Tell whether *path* is a pattern; of the web none is, where a question mark begins a query."""
        return scheme_of(path) not in WEB and MAGIC.search(path) is not None

    def _info(self, path: str) -> dict[str, Any] | None:
        fs, inner = file_system(path)
        forget(fs, inner)
        try:
            return dict(tried(lambda: fs.info(inner)))
        except FileNotFoundError:
            return None


def _listed(fs: Any, call: Callable[[], Any]) -> Any:
    """Return what *call* returns, which lists folders of a file system; a folder that cannot be listed is an error.

    fsspec's own way to walk, which stores like S3 have not, takes such a folder for one that is empty.
    """
    from fsspec import AbstractFileSystem

    kind = type(fs)
    if kind.find is not AbstractFileSystem.find or kind.walk is not AbstractFileSystem.walk:
        return tried(call)
    real = fs.ls

    def ls(*arguments: Any, **options: Any) -> Any:
        try:
            return real(*arguments, **options)
        except FileNotFoundError:
            raise
        except OSError as error:
            # It passes over no other errors.
            raise RuntimeError("a folder cannot be listed") from error

    fs.ls = ls
    try:
        return tried(call)
    finally:
        del fs.ls
