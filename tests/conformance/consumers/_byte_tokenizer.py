"""A tokenizer of transformers that is made here, since nothing is downloaded: its tokens are bytes, so no text is lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from conformance.consumers._reading import module

ENDS = ("<|im_start|>", "<|im_end|>")
"""The special tokens of ChatML; the last ends a sequence."""

IGNORED = -100
"""The label of a token that is not learned from, in everything that is built on PyTorch."""


def bytes_alone() -> Any:
    """Return a bare tokenizer, of the library of that name, of which each token is a byte: no text is lost, and none spans two."""
    parts = module("tokenizers")
    letters = sorted(parts.pre_tokenizers.ByteLevel.alphabet())
    bare = parts.Tokenizer(parts.models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    bare.pre_tokenizer = parts.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bare.decoder = parts.decoders.ByteLevel()
    return bare


@cache
def tokenizer() -> Any:
    """Return the tokenizer."""
    backend = bytes_alone()
    backend.add_special_tokens([module("tokenizers").AddedToken(end, normalized=False) for end in ENDS])
    return module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=ENDS[-1],
        pad_token=ENDS[-1],
        model_max_length=10**9,
        clean_up_tokenization_spaces=False,
    )


def text(tokens: Sequence[int]) -> str:
    """Return the text of tokens, or of the labels that are learned from."""
    kept = [token for token in tokens if token != IGNORED]
    return str(tokenizer().decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False))
