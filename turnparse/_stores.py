"""Stores: where files are, in folders here or behind URLs. What is read or written goes through one."""

from __future__ import annotations

import io
import os
import posixpath
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol

from turnparse._urls import is_url
from turnparse._whole import WholeFile, remove_orphans, sync_folders


class NewFile(Protocol):
    """A file being written: `finish`, then `place`, or `discard` at any time. See `WholeFile`."""

    file: IO[bytes]
    placed: bool


class Store(Protocol):
    """What is asked of a place where files are. Calls raise `OSError` or `ValueError` where it fails them."""

    def is_folder(self, path: str) -> bool:
        """Tell whether *path* is a folder."""

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at *path*, if only a link to nothing."""

    def is_link(self, path: str) -> bool:
        """Tell whether *path* is a symbolic link."""

    def identity(self, path: str) -> str:
        """Return the same for each path of one file."""

    def size(self, path: str) -> int:
        """Return how many bytes a regular file has."""

    def open(self, path: str) -> IO[bytes]:
        """Return a file open for reading, without a buffer; its ``state()`` changes when the file does, and is None of a pipe."""

    def read(self, path: str) -> bytes:
        """Return all that a file holds; raise `FileNotFoundError` if there is none."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def make_folder(self, path: str) -> None:
        """Make a folder with all that it is in, if it is not there."""
