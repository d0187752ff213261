"""Retries: what fails for a reason that may pass is tried again."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from typing import Final, TypeVar

TRIES: Final = 5
FIRST_WAIT = 0.5  # no constant to a type checker: tests make it short
LONGEST_WAIT: Final = 8.0
"""How often, and with how many seconds between, something is tried: some ten seconds in all, on top of what the libraries of S3
and the Hub do themselves: it outlasts what passes, and is no long wait for what does not."""

NEVER: Final = (
    FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError,
    AttributeError, ImportError, LookupError, NotImplementedError, TypeError, Warning,
)  # fmt: skip
NEVER_NAMED: Final = re.compile("Credential|Profile|Validation")
"""What no waiting mends: kinds of errors, and, of stores whose libraries may not be installed, words in the names of kinds."""

NO_REPOSITORY: Final = "RepositoryNotFoundError"
"""What the Hub's library raises of a repository that is not there, or that whoever asks may not see: the Hub does not say which."""

T = TypeVar("T")


class UnreachedError(OSError):
    """What may pass has not, for as long as it was waited for."""


class ChangedError(UnreachedError):
    """What is to be tried again is not what it was: all that came before is to be done again."""


def tried(call: Callable[[], T]) -> T:
    """Return what *call* returns; what fails for a reason that may pass is tried again, after a while that grows.

    Raises:
        UnreachedError: if the reason has not passed.
        OSError: if it fails for another one; what is no `OSError` becomes one.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT) + wait_random(0, FIRST_WAIT),
        reraise=True,
    )
    try:
        return retrying(call)
    except Exception as error:
        told = _told(error)
        if told is error:
            raise
        raise told from error


def _told(error: Exception) -> OSError:
    """Return what is raised of *error*, with a text that tells whoever reads it what to do."""
    cause = _cause(error)
    what = f"{type(cause).__name__}: {cause}"
    if may_pass(cause):
        return UnreachedError(errno.EIO, f"{what} ({TRIES} times)")
    if "Credential" in type(cause).__name__:
        return PermissionError(
            errno.EACCES, f"{what}; set them as the store's own tools have them, as in AWS_ACCESS_KEY_ID"
        )
    if _is_hidden(cause):
        advice = "set HF_TOKEN, or run `hf auth login`, if it is a private one"
        return PermissionError(errno.EACCES, f"no such repository, or none that you may use; {advice}")
    if isinstance(cause, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    # Each store's library has errors of its own.
    return cause if isinstance(cause, OSError) and not _status(cause) else OSError(what)


def _cause(error: BaseException) -> BaseException:
    """Return why *error* came about.

    fsspec takes for a file that is not there what cannot be asked for either, the Hub's library says of an upload only that it
    failed, and s3fs stumbles over errors that say nothing, such as that of time run out.
    """
    if isinstance(error, IndexError) and isinstance(error.__context__, OSError):
        return error.__context__
    cause = error.__cause__
    if not isinstance(cause, Exception):
        return error
    if type(error) is RuntimeError:
        return cause
    if not isinstance(error, FileNotFoundError):
        return error
    return cause if _is_hidden(cause) or may_pass(cause) or _status(cause) in (401, 403) else error


def _is_hidden(error: BaseException) -> bool:
    """Tell whether *error* says that there is no such repository, or none that is shown to whoever asks."""
    return any(kind.__name__ == NO_REPOSITORY for kind in type(error).__mro__)


def _status(error: BaseException) -> int | None:
    """Return the status of HTTP that an error of some store's library tells of, if any."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        response = response.get("ResponseMetadata", {})
        status: int | None = response.get("HTTPStatusCode")
        return status
    # aiohttp warns of whoever reads its errors' code.
    found = (getattr(of, name, None) for of, name in ((error, "status"), (response, "status_code"), (error, "code")))
    return next((status for status in found if isinstance(status, int) and status), None)


def may_pass(error: BaseException) -> bool:
    """Tell whether what failed with *error* may go well another time."""
    error = _cause(error)
    if isinstance(error, UnreachedError):
        # It has been tried.
        return False
    names = (kind.__name__ for kind in type(error).__mro__)
    if not isinstance(error, Exception) or isinstance(error, NEVER) or any(map(NEVER_NAMED.search, names)):
        return False
    status = _status(error)
    if status is not None:
        # Somebody else wrote at that moment, too early, too many requests, or the server's own trouble (RFC 9110, sections
        # 15.5 and 15.6); of two commits at once the Hub refuses one by 412.
        return status in (408, 409, 412, 425, 429) or status >= 500  # noqa: PLR2004
    # A value is refused for good; but what is not JSON where JSON is expected was cut on its way.
    return not isinstance(error, ValueError) or isinstance(error, (UnicodeError, json.JSONDecodeError))
