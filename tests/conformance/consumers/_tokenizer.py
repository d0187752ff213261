"""A tokenizer made in code, a byte a token, with a chat template: nothing is downloaded, and decoding loses nothing."""

from __future__ import annotations

import functools
from typing import Any

from conformance.check import Messages
from conformance.consumers._byte_tokenizer import bytes_alone
from conformance.consumers._reading import module

ROLES = {"system": "\ue000", "user": "\ue001", "assistant": "\ue002"}
"""What opens a message of each role: single characters of private use, so that no two openings share a prefix."""

CLOSE = "\ue003"
"""What closes a message, as most templates do."""

EOS = "\ue004"
"""The end of a sequence, which TRL adds to texts."""

TEMPLATE = (
    "{%- set opens = "
    + str(ROLES)
    + " -%}{%- for message in messages -%}{{ opens[message['role']] + message['content'] + '"
    + CLOSE
    + "' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ opens['assistant'] }}{%- endif -%}"
)
"""Writes every message as its role's opening, its content as it is, and the closing."""


@functools.cache
def tokenizer() -> Any:
    """Return the tokenizer, of the library that trainers use."""
    return module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone(),
        eos_token=EOS,
        pad_token=EOS,
        additional_special_tokens=[*ROLES.values(), CLOSE],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def decoded(ids: list[int]) -> str:
    """Return the text of tokens, every one of them."""
    text: str = tokenizer().decode(ids, skip_special_tokens=False)
    return text


def rendered(messages: Messages) -> str:
    """Return what the template is to write of messages, by another way than the template's."""
    return "".join(ROLES[message["role"]] + message["content"] + CLOSE for message in messages)
