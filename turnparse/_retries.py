"""Retries: what fails for a reason that may pass is tried again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final, TypeVar

TRIES: Final = 5
FIRST_WAIT = 0.5  # no constant to a type checker: tests make it short
LONGEST_WAIT: Final = 8.0
"""How often, and with how many seconds between, something is tried: some ten seconds in all, on top of what the libraries of S3
and the Hub do themselves: it outlasts what passes, and is no long wait for what does not."""

T = TypeVar("T")


def tried(call: Callable[[], T]) -> T:
    """Return what *call* returns; what fails for a reason that may pass is tried again, after a while that grows.

    Raises:
        OSError: if it fails all the same; what is no `OSError` becomes one.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential_jitter(initial=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT),
        reraise=True,
    )
    try:
        return retrying(call)
    except Exception as error:
        cause = _cause(error)
        if isinstance(cause, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        if cause is error and isinstance(error, OSError):
            raise
        # Each store's library has errors of its own.
        raise OSError(f"{type(cause).__name__}: {cause}") from error


def _cause(error: BaseException) -> BaseException:
    """Return why *error* came about: fsspec takes for a file that is not there what cannot be asked for either."""
    cause = error.__cause__
    return cause if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and may_pass(cause) else error


def may_pass(error: BaseException) -> bool:
    """Tell whether what failed with *error* may go well another time."""
    error = _cause(error)
    never = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
    if isinstance(
        error, (*never, AttributeError, ImportError, LookupError, NotImplementedError, TypeError)
    ) or not isinstance(error, Exception):
        return False
    response = getattr(error, "response", None)
    told = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    status = getattr(error, "status", None) or getattr(response, "status_code", None) or told.get("HTTPStatusCode")
    if isinstance(status, int):
        # Too early, too many requests, or the server's own trouble (RFC 9110, sections 15.5 and 15.6).
        return status in (408, 425, 429) or status >= 500  # noqa: PLR2004
    # A value is refused for good; but what is not JSON where JSON is expected was cut on its way.
    return not isinstance(error, ValueError) or isinstance(error, UnicodeError)
