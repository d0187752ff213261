"""Files elsewhere: read on where the network failed, and written in one go."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from turnparse._digests import Content
from turnparse._retries import ChangedError, tried
from turnparse._urls import HUB, WEB, WHOLE_OR_NOT, file_system, forget, scheme_of
from turnparse._whole import WholeFile, taken

BLOCK: Final = 1 << 23
"""Bytes asked for at a time: large against the way to a store and back, some tens of milliseconds."""

S3: Final = ("s3", "s3a")
PART_BYTES: Final = 1 << 24
PARTS_AT_ONCE: Final = 4
"""Bytes of a part of an upload, and how many are sent at a time: 64 MiB of memory, where s3fs would take 500."""
MOST_PARTS: Final = 10_000
"""How many parts S3 takes of one upload (Amazon S3 multipart upload limits)."""

COMMITTING: Final = Lock()
"""Held while a file is put into a repository: the Hub refuses one of two commits at a time."""


class RemoteFile:
    """A file elsewhere, open for reading; where the network fails it is opened again, and read on.

    Args:
        path: its URL.

    Raises:
        OSError: if it cannot be opened.
        OptionError: if there is no file system for it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fs, self._inner = file_system(path)
        self._at = 0
        info = tried(self._asked)
        size = info.get("size")
        if info.get("type") == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._size: int | None = size if isinstance(size, int) else None
        # What is known already is what the first asking for its state is told.
        self._begun = _told_of(info)
        self._is_asked = False
        # A server that does not tell how long it is gives it from its start only, and so do others.
        self._from_start = self._size is None or info.get("partial") is False
        self._file: Any = None
        self._file = tried(self._opened)

    def _asked(self) -> dict[str, Any]:
        # What is kept of an earlier listing would not show that the file was changed.
        forget(self._fs, self._inner)
        return dict(self._fs.info(self._inner))

    def _opened(self) -> Any:
        return self._fs.open(self._inner, "rb", block_size=0 if self._from_start else BLOCK)

    def read(self, size: int = -1) -> bytes:
        data: bytes = tried(lambda: self._read(size))
        self._at += len(data)
        return data

    def _read(self, size: int) -> bytes:
        if self._file is None:
            self._file = self._opened_again()
        try:
            if self._file.tell() != self._at:
                self._go_on()
            data = self._file.read(size)
        except ValueError as error:
            self._drop()
            if self._from_start or scheme_of(self._path) not in WEB:
                raise
            # It is what fsspec raises of a server that, asked for a part, gives the whole.
            self._from_start = True
            raise ConnectionError(f"the server gives no parts: {error}") from None
        except BaseException:
            self._drop()
            raise
        if not data and size and self._size is not None and self._at < self._size:
            raise ConnectionError(f"the file ended at byte {self._at:,} of {self._size:,}")
        return bytes(data)

    def _drop(self) -> None:
        file, self._file = self._file, None
        with suppress(Exception):
            file.close()

    def _opened_again(self) -> Any:
        if self._size is None and _told_of(self._asked()) != self._begun:
            # Of others `state` tells, at the end.
            raise ChangedError(errno.ESTALE, "it was changed while it was read")
        return self._opened()

    def _go_on(self) -> None:
        """Go to where reading stopped, or was told to go on."""
        if not self._from_start:
            self._file.seek(self._at)
            return
        if self._file.tell() > self._at:
            self._drop()
            self._file = self._opened_again()
        left = self._at - self._file.tell()
        while left and (data := self._file.read(min(left, BLOCK))):
            left -= len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self._size is None:
            raise io.UnsupportedOperation("seek")
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def state(self) -> tuple[int, object] | None:
        """Return its size and all else that its store tells of it now; None where that does not tell its size.

        Raises:
            OSError: if it cannot be asked for.
        """
        if self._size is None:
            return None
        if not self._is_asked:
            self._is_asked = True
            return self._size, self._begun
        try:
            info = tried(self._asked)
        except FileNotFoundError:
            return -1, "it has gone"
        return int(info.get("size") or 0), _told_of(info)

    def close(self) -> None:
        if self._file is not None:
            self._drop()


def _told_of(info: Mapping[str, Any]) -> str:
    """Return what a store tells of a file, as text; but for where it was found, which may be signed anew for whoever asks."""
    return repr(sorted((name, str(value)) for name, value in info.items() if name != "url"))


class Upload:
    """A file elsewhere being written: first whole in a file here, then in one go under its own name.

    A store that shows an upload only when it is complete is given it under its own name; in any other it has a temporary one
    until then. What is here is a `WholeFile`, so that the next run knows what a dead one has left.

    Args:
        path: the URL where the file is to be.
        new: whether nothing may be there. That is looked at just before: few stores can do both in one step.

    Raises:
        OSError: if no file can be made here, or the repository where it is to be is not there.
    """

    def __init__(self, path: str, *, new: bool) -> None:
        if scheme_of(path) == HUB:
            fs, inner = file_system(path)
            tried(lambda: fs.resolve_path(inner))
        self.path = path
        self.new = new
        self.placed = False
        self._spool = WholeFile(spool_of(path))
        self.file = self._spool.file

    @property
    def content(self) -> Content | None:
        """What the finished file holds."""
        return self._spool.content

    def finish(self) -> None:
        """Write what is held back, still here.

        Raises:
            OSError, ValueError: if that fails.
        """
        self._spool.finish()

    def place(self) -> None:
        """Put the finished file where it is to be.

        Raises:
            TakenError: if it is to be new, and something has that name.
            OSError: if that fails.
        """
        fs, inner = file_system(self.path)
        if self.new:
            require_free(fs, inner)
        scheme = scheme_of(self.path)
        here = str(self._spool.temporary)
        if scheme == HUB:
            tried(lambda: _commit(fs, here, inner))
        elif scheme in WHOLE_OR_NOT:
            options = in_parts(Path(here).stat().st_size) if scheme in S3 else {}
            tried(lambda: _put(fs, here, inner, **options))
        else:
            folder, _, name = inner.rpartition("/")
            temporary = f"{folder}/.{name}.part"
            try:
                tried(lambda: _put(fs, here, temporary))
                tried(lambda: _move(fs, temporary, inner))
            except BaseException:
                with suppress(Exception):
                    fs.rm_file(temporary)
                raise
        self.placed = True
        self._spool.discard()

    def discard(self) -> None:
        """Leave nothing behind here."""
        self._spool.discard()


def require_free(fs: Any, inner: str) -> None:
    """Check that nothing is at *inner* in a file system.

    Raises:
        TakenError: if something is.
        OSError: if it cannot be asked for.
    """
    forget(fs, inner)
    with suppress(FileNotFoundError):
        tried(lambda: fs.info(inner))
        raise taken()


def in_parts(size: int) -> dict[str, int]:
    """Return in what parts a file of *size* bytes is to be uploaded to S3: s3fs holds so many of them in memory as it sends at a time."""
    return {"chunksize": max(PART_BYTES, -(-size // MOST_PARTS)), "max_concurrency": PARTS_AT_ONCE}


def _put(fs: Any, here: str, there: str, **options: Any) -> None:
    """Put a file into a file system; whoever is interrupted meanwhile has stopped it."""
    if not getattr(fs, "async_impl", False):
        fs.put_file(here, there, **options)
        return
    # fsspec's own way to wait for it would let it go on.
    upload = asyncio.run_coroutine_threadsafe(fs._put_file(here, there, **options), fs.loop)  # noqa: SLF001  # as fsspec does
    try:
        upload.result()
    except BaseException:
        upload.cancel()
        raise


def _move(fs: Any, temporary: str, there: str) -> None:
    """Give a file its name in a file system."""
    from fsspec import AbstractFileSystem

    if type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(temporary, there)
        return
    # fsspec's own takes names for patterns.
    fs.cp_file(temporary, there)
    fs.rm_file(temporary)


def remove(fs: Any, inner: str) -> None:
    """Remove what is at *inner* in a file system."""
    # Of the Hub it is a commit, if only of one file that is not there, which it refuses.
    with COMMITTING, suppress(FileNotFoundError):
        tried(lambda: fs.rm_file(inner))
    forget(fs, inner)


def _commit(fs: Any, here: str, inner: str) -> None:
    """Put a file into a repository of the Hub. fsspec's own way would commit what it has when it is interrupted."""
    with COMMITTING:
        _commit_alone(fs, here, inner)


def _commit_alone(fs: Any, here: str, inner: str) -> None:
    from huggingface_hub import HfApi

    found = fs.resolve_path(inner)
    api = HfApi(endpoint=fs.endpoint, token=fs.token)
    if hasattr(found, "bucket_id"):
        api.batch_bucket_files(found.bucket_id, add=[(here, found.path)])
    else:
        api.upload_file(
            path_or_fileobj=here,
            path_in_repo=found.path_in_repo,
            repo_id=found.repo_id,
            repo_type=found.repo_type,
            revision=found.revision,
            commit_message=f"turnparse: {found.path_in_repo}",
        )
    # The Hub takes a file that the repository's .gitignore names, and leaves it out without a word.
    forget(fs, inner)
    try:
        info = fs.info(inner)
    except FileNotFoundError:
        raise ConnectionError("the Hub left it out: does the repository's .gitignore name it?") from None
    if info["size"] != Path(here).stat().st_size:
        raise ConnectionError(f"what was put there has {info['size']:,} bytes now, not those of the file")


def spool_of(path: str) -> str:
    """Return where a file is written here that is to go to *path*: the same for all runs, so that one clears up after another.

    Raises:
        OSError: if the folder for it cannot be had.
    """
    folder = Path(tempfile.gettempdir()) / f"turnparse-{os.getuid() if hasattr(os, 'getuid') else os.getlogin()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if hasattr(os, "getuid") and (
        not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077
    ):
        # Whoever made it could put something else in place of what is to be uploaded.
        raise PermissionError(errno.EPERM, f"{folder} should be a folder that is your own, and closed to others")
    # Its own name might be too long for a file here, or, with all that comes with it, too telling.
    return str(folder / hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32])
