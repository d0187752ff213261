"""A chat template and a tokenizer made here, so that nothing is downloaded: ChatML, a token a byte."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from conformance.check import Messages
from conformance.consumers._byte_tokenizer import bytes_alone
from conformance.consumers._reading import module

END: Final = "<|im_end|>"
PAD: Final = "<|endoftext|>"
OPENING: Final = "<|im_start|>assistant\n"
"""What the template ends with where a model is to go on."""

TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def rendered(messages: Messages, *, opening: bool = False) -> str:
    """Return what the template makes of messages, by Python alone."""
    turns = [f"<|im_start|>{message['role']}\n{message['content']}{END}\n" for message in messages]
    return "".join(turns) + (OPENING if opening else "")


@cache
def tokenizer() -> Any:
    """Return a tokenizer of transformers that loses nothing: each byte is a token, and so is `END`."""
    return module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone(), eos_token=END, pad_token=PAD, chat_template=TEMPLATE
    )


def text_of(tokens: Any) -> str:
    """Return the text that tokens stand for."""
    text: str = tokenizer().decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
