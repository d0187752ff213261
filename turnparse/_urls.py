"""URLs: paths of files elsewhere, and what may be shown of them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from turnparse._errors import OptionError, escape

URL: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+::)*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://")
"""What a path begins with that is a URL; a scheme of one letter would be a drive of Windows. Before it fsspec takes others,
as in ``simplecache::s3://``."""

CHAINED: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::|.*?::[A-Za-z][A-Za-z0-9+.-]*://", re.DOTALL)
"""What a URL begins with that is made of several, as fsspec takes them."""

EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hf", "http": "http", "https": "http"}
"""{scheme: the extra of turnparse that brings what it needs}."""

HUB: Final = "hf"
"""The scheme of repositories of the Hugging Face Hub."""

WEB: Final = ("http", "https")
"""Schemes without folders: a server tells of one file at a time."""

WHOLE_OR_NOT: Final = ("s3", "s3a", "gs", "gcs", "hf")
"""Schemes of stores in which an upload shows only when it is complete, so that it needs no temporary name."""

ASKERS: Final = re.compile(r"(://|\bhttps?:/)[^/?#\s]*@", re.IGNORECASE)
QUERIES: Final = re.compile(r"(https?://[^\s?#]*)[?#]\S*", re.IGNORECASE)
"""What a URL may hold that nobody else is to see: who asks, with a password, and the query, which may be a signature. Where a
message goes on behind it without a space, that is left out as well: quotes and brackets may be part of a signature."""

SCHEMES: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

PLAIN: Final = (*WHOLE_OR_NOT, "memory")
"""Schemes in which a question mark is one, and part of a name."""

MAGIC: Final = re.compile(r"[*?\[]")
"""What makes a path a pattern."""


def is_url(path: str) -> bool:
    """Tell whether *path* names a file elsewhere."""
    return URL.match(path) is not None


def redacted(text: str) -> str:
    """Return *text*, which may be or hold URLs, without the secrets that these may hold."""
    if ":/" not in text:
        return text
    if scheme_of(text) in WEB:
        # All of it is one URL: what is behind a space is of its query too.
        text = ASKERS.sub(r"\1", re.split("[?#]", text, maxsplit=1)[0])
        if not _is_sound(text):
            # A password with a slash in it looks like a port and a path.
            return f"{scheme_of(text)}://..."
    elif is_url(text) and not any(scheme.lower() in PLAIN for scheme in SCHEMES.findall(text)):
        # Whether it has a query there nobody knows here.
        text = text.partition("?")[0]
    return QUERIES.sub(r"\1", ASKERS.sub(r"\1", text))


def _is_sound(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018  # to ask for it is to read it
    except ValueError:
        return False
    return True


def scheme_of(path: str) -> str:
    """Return the scheme of a URL; the innermost, where it has several."""
    found = URL.match(path)
    return found["scheme"].lower() if found else ""


def name_of(path: str) -> str:
    """Return the name of the file at *path*, a URL."""
    if scheme_of(path) not in WEB:
        return path.rpartition("/")[2]
    try:
        parts = urlsplit(path)
    except ValueError:
        return ""  # to open it will say what is wrong with it
    # What stands for a slash in a name would make a folder of it.
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.hostname or ""


def file_system(path: str) -> tuple[Any, str]:
    """Return the fsspec file system that *path*, a URL, is in, and its path there.

    Raises:
        OptionError: if there is none, or a package that it needs is not installed.
    """
    from fsspec import filesystem, get_filesystem_class
    from fsspec.core import url_to_fs

    scheme = scheme_of(path)
    if scheme in WHOLE_OR_NOT and ASKERS.search(path):
        # Nobody would take them from there, and all would tell them in their errors.
        msg = f"expected no credentials in a URL of {scheme}://, found some; leave them out: they are looked for where its own tools have them"
        raise OptionError(msg)
    try:
        if CHAINED.match(path):
            fs, inner = url_to_fs(path)
        else:
            # That would take two colons in a name for the end of one URL.
            kind = get_filesystem_class(scheme)
            fs = filesystem(scheme, **kind._get_kwargs_from_urls(path))  # noqa: SLF001  # as url_to_fs does
            inner = kind._strip_protocol(path)  # noqa: SLF001  # likewise
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        advice = f"pip install 'turnparse[{extra}]'" if extra else escape(str(error), 200)
        raise OptionError(f"expected what {scheme}:// needs to be installed, found it is not: {advice}") from None
    except ValueError as error:
        msg = f"expected a URL that fsspec knows, found {escape(redacted(path), 300)!r}: {escape(redacted(str(error)), 200)}"
        raise OptionError(msg) from None
    return fs, inner


def forget(fs: Any, inner: str) -> None:
    """Forget what was listed before: others may have written since."""
    with suppress(Exception):
        fs.invalidate_cache(fs._parent(inner))  # noqa: SLF001  # fsspec's way to name a folder
