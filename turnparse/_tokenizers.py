"""Tokenizers of the user's own: read from a file, or by their name from what is on this machine; nothing is fetched."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from turnparse._errors import OptionError, escape, require_path, shown

INSTALL: Final = "install it with `pip install {name}`, or leave --tokenizer out"

Counter = Callable[[list[str]], list[int]]
"""Returns how many tokens each of some texts is."""


def token_counter(tokenizer: object) -> Counter:
    """Return what counts tokens: those of each text alone, without any that a tokenizer adds, truncation or padding.

    Args:
        tokenizer: the path of a ``tokenizer.json`` of the package tokenizers, or of the folder that has one; or a name that
            ``transformers.AutoTokenizer`` knows, of a tokenizer that is on this machine already.

    Raises:
        ArgumentError: if it is no path or name.
        OptionError: if it cannot be had, or what reads it is not installed.
    """
    name = require_path(tokenizer, "the tokenizer")
    file = os.path.join(name, "tokenizer.json") if os.path.isdir(name) else name  # noqa: PTH112,PTH118  # as of sources
    if os.path.isfile(file):  # noqa: PTH113  # likewise
        return _from_file(file)
    return _named(name)


def _from_file(path: str) -> Counter:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise _missing("tokenizers") from None
    try:
        tokenizer: Any = Tokenizer.from_file(path)
    except Exception as error:  # noqa: BLE001  # it raises nothing more special
        msg = f"expected a tokenizer.json of the package tokenizers, found {escape(path, 300)!r}: {escape(str(error), 200)}"
        raise OptionError(msg) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: list[str]) -> list[int]:
        return [len(found.ids) for found in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return count


def _named(name: str) -> Counter:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        msg = f"expected the file of a tokenizer, or transformers to look up {shown(name)} with, found neither"
        raise OptionError(f"{msg}; name a tokenizer.json, or {INSTALL.format(name='transformers')}") from None
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, local_files_only=True)
    except Exception as error:  # noqa: BLE001  # it raises whatever its parts do
        msg = f"expected a tokenizer that is on this machine, found none of the name {shown(name)}: {escape(str(error), 200)}"
        raise OptionError(f"{msg}; name a tokenizer.json") from None

    def count(texts: list[str]) -> list[int]:
        found = tokenizer(texts, add_special_tokens=False, truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    return count


def _missing(package: str) -> OptionError:
    msg = f"expected the package {package}, which reads that tokenizer, found it not installed"
    return OptionError(f"{msg}; {INSTALL.format(name=package)}")
