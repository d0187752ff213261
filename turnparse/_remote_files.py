"""Files elsewhere: read on where the network failed, and written in one go."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from turnparse._digests import Content
from turnparse._retries import tried
from turnparse._urls import WHOLE_OR_NOT, file_system, forget, name_of, scheme_of
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


class RemoteFile(io.RawIOBase):
    """A file elsewhere, open for reading; where the network fails it is opened again, and read on.

    Args:
        path: its URL.

    Raises:
        OSError: if it cannot be opened.
        OptionError: if there is no file system for it.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._fs, self._inner = file_system(path)
        self._at = 0
        # What is known already is what the first asking for its state is told.
        self._info = self._known()
        size = self._info.get("size")
        if self._info.get("type") == "directory":
            raise IsADirectoryError(21, os.strerror(21))
        self._size: int | None = size if isinstance(size, int) else None
        self._file: Any = None
        self._file = tried(self._opened)

    def _known(self) -> dict[str, Any]:
        # What is kept of an earlier listing would not show that the file was changed.
        return dict(tried(self._asked))

    def _asked(self) -> Any:
        forget(self._fs, self._inner)
        return self._fs.info(self._inner)

    def _opened(self) -> Any:
        if self._size is None:
            # A server that does not tell how long it is gives it from its start only.
            return self._fs.open(self._inner, "rb", block_size=0)
        return self._fs.open(self._inner, "rb", block_size=BLOCK)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._size is not None

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        data: bytes = tried(lambda: self._read(size))
        self._at += len(data)
        return data

    def _read(self, size: int) -> bytes:
        if self._file is None:
            self._file = self._opened()
        try:
            if self._file.tell() != self._at:
                self._go_on()
            data = self._file.read(size)
        except BaseException:
            file, self._file = self._file, None
            with suppress(Exception):
                file.close()
            raise
        if not data and size and self._size is not None and self._at < self._size:
            raise ConnectionError(f"the file ended at byte {self._at:,} of {self._size:,}")
        return bytes(data)

    def _go_on(self) -> None:
        """Go to where reading stopped."""
        if self._size is not None:
            self._file.seek(self._at)
            return
        left = self._at
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
        try:
            info, self._info = self._info or self._known(), {}
        except FileNotFoundError:
            return -1, "it has gone"
        return int(info.get("size") or 0), repr(sorted((name, str(value)) for name, value in info.items()))

    def close(self) -> None:
        if not self.closed and self._file is not None:
            with suppress(Exception):
                self._file.close()
        super().close()


class Upload:
    """A file elsewhere being written: first whole in a file here, then in one go under its own name.

    A store that shows an upload only when it is complete is given it under its own name; in any other it has a temporary one
    until then. What is here is a `WholeFile`, so that the next run knows what a dead one has left.

    Args:
        path: the URL where the file is to be.
        new: whether nothing may be there. That is looked at just before: few stores can do both in one step.

    Raises:
        OSError: if no file can be made here.
    """

    def __init__(self, path: str, *, new: bool) -> None:
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
        if scheme == "hf":
            tried(lambda: _commit(fs, here, inner))
        elif scheme in WHOLE_OR_NOT:
            options = in_parts(Path(here).stat().st_size) if scheme in S3 else {}
            tried(lambda: fs.put_file(here, inner, **options))
        else:
            folder, _, name = inner.rpartition("/")
            temporary = f"{folder}/.{name}.part"
            try:
                tried(lambda: fs.put_file(here, temporary))
                tried(lambda: fs.mv(temporary, inner))
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


def _commit(fs: Any, here: str, inner: str) -> None:
    """Put a file into a repository of the Hub. fsspec's own way would commit what it has when it is interrupted."""
    with COMMITTING:
        _commit_alone(fs, here, inner)


def _commit_alone(fs: Any, here: str, inner: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if not are_progress_bars_disabled():
        # They would be written into ours; who uses the Hub beside this keeps them.
        disable_progress_bars()
        try:
            _commit_alone(fs, here, inner)
        finally:
            enable_progress_bars()
        return
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
    fs.invalidate_cache(found.unresolve())


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
    return str(
        folder / f"{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}-{name_of(path)[-100:]}"
    )
