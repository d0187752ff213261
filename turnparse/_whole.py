"""Files that appear only when they are whole: written under a temporary name beside their own, then given it in one step."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from turnparse._digests import Content, Digest

PART: Final = re.compile(r"\.(?P<name>.+)\.[0-9]+\.part", re.DOTALL)
"""What temporary names look like."""

NO_FOLDER_SYNC: Final = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What a file system says that has no way to make a folder's entries safe."""


NO_LINKS: Final = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
"""What a file system, or what guards it, says that gives a file no second name: FAT, many a network drive, Android."""


class _Raw(io.FileIO):
    """A file that knows what was written to it."""

    def __init__(self, path: Path, opener: Any) -> None:
        super().__init__(path, "wb", opener=opener)
        self.digest = Digest()

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.digest.add(memoryview(data).cast("B")[:count])
        return count


class WholeFile:
    """A file being written: `finish`, then `place`, or `discard` at any time.

    While it is written it is locked, so that another run can tell it from one whose run is dead: the lock goes when its
    process does, however that ends. That a process of the number in the name lives would prove nothing: numbers are
    given anew, and in each container again.

    Args:
        path: where the file is to be.
        new: whether nothing may be there when it is put in its place; else it replaces what is.

    Raises:
        OSError, ValueError: if it cannot be made.
    """

    def __init__(self, path: str, *, new: bool = False) -> None:
        self.path = Path(path)
        self.new = new
        self.temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self.content: Content | None = None
        self.placed = False
        try:
            self._raw = self._made()
            self.file = io.BufferedWriter(self._raw, io.DEFAULT_BUFFER_SIZE)
        except FileExistsError:
            raise
        except BaseException:
            # A signal may come at any step.
            with suppress(OSError, ValueError):
                self.temporary.unlink(missing_ok=True)
            raise

    def _made(self) -> _Raw:
        """Return the file, new and locked."""
        while True:
            raw = _Raw(self.temporary, _exclusive)
            _lock(raw.fileno())
            # Between the two, another run may have taken it for one of the dead, and removed it.
            if os.fstat(raw.fileno()).st_nlink:
                return raw
            raw.close()

    def finish(self) -> None:
        """Make what was written safe: what may fail for want of room fails here.

        Raises:
            OSError, ValueError: if that fails.
        """
        self.file.flush()
        os.fsync(self._raw.fileno())
        self.content = self._raw.digest.content

    def place(self) -> None:
        """Give the finished file its name.

        Raises:
            TakenError: if it is to be new, and something has that name.
            OSError, ValueError: if that fails.
        """
        if self.new:
            self._link()
        else:
            self.temporary.replace(self.path)
        self.placed = True
        self.file.close()

    def _link(self) -> None:
        """Give the file its name, if nothing has that.

        To look first and rename then would leave a moment in which another may put a file there, which the rename would
        replace. To make a link is one step, and fails where the name is taken.
        """
        try:
            os.link(self.temporary, self.path)
        except FileExistsError:
            raise taken() from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            # Here that moment has to be: to take the name with an empty file would close it, but whoever is killed then
            # leaves that file, which is none of ours. On Windows there is none, for `rename` replaces nothing.
            if os.path.lexists(self.path):
                raise taken() from None
            try:
                self.temporary.rename(self.path)
            except FileExistsError:
                raise taken() from None
        else:
            # It is in its place now: the next run removes the other name, should this fail.
            with suppress(OSError):
                self.temporary.unlink()

    def discard(self) -> None:
        """Leave nothing behind, unless `place` came first."""
        if self.placed:
            return
        # The name goes before the lock, and closing fails again where writing did.
        with suppress(OSError, ValueError):
            self.temporary.unlink(missing_ok=True)
        with suppress(OSError, ValueError):
            self.file.close()
        with suppress(OSError, ValueError):
            self._raw.close()


class TakenError(FileExistsError):
    """Something has the name of a file that was to be new."""


def taken() -> TakenError:
    """Return the error that says so."""
    return TakenError(errno.EEXIST, "something has been put there since this run began")


def require_free(path: str) -> None:
    """Check that nothing is at *path*.

    Raises:
        TakenError: if something is.
    """
    if os.path.lexists(path):
        raise taken()


def _exclusive(path: str, flags: int) -> int:
    # Neither a link nor a file that another run writes to is opened.
    return os.open(path, flags | os.O_EXCL, 0o666)


def _lock(descriptor: int) -> None:
    """Lock a file, if it can be locked."""
    try:
        import fcntl
    except ImportError:
        # On Windows nobody removes an open file anyway.
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        # Some network file systems have no locks: there, the files of the dead stay.
        return


def sync_folders(paths: Iterable[str]) -> None:
    """Make the names of files safe, those in the same folder at once.

    Raises:
        OSError: if that fails.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    for folder in {os.path.dirname(path) or "." for path in paths}:  # noqa: PTH120  # what a name may hold, Path may change
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except PermissionError:
            # One may write to a folder that one may not list.
            continue
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


def remove_orphans(paths: Iterable[str]) -> None:
    """Remove what runs that were killed have left of *paths* under temporary names; what a living run writes stays."""
    wanted: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        wanted.setdefault(folder or ".", set()).add(name)
    for folder, names in wanted.items():
        # A folder that is not there, or cannot be listed, has none that could be removed.
        with suppress(OSError, ValueError), os.scandir(folder) as entries:
            for entry in entries:
                found = PART.fullmatch(entry.name)
                if found is not None and found["name"] in names and entry.is_file(follow_symlinks=False):
                    _remove_if_dead(entry.path)


def _remove_if_dead(path: str) -> None:
    with suppress(OSError):
        try:
            import fcntl
        except ImportError:
            # Windows does not remove what is open.
            os.unlink(path)  # noqa: PTH108
            return
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            # Unlike above, a file system without locks raises here: who knows whether it is dead.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # If another run was faster, the name may be a new file's.
            if os.fstat(descriptor).st_nlink:
                os.unlink(path)  # noqa: PTH108
        finally:
            os.close(descriptor)
