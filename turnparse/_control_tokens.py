"""The control tokens of chat templates: what they are, where they stand in a text, and how one is made harmless.

A trainer's tokenizer makes one id of such a token wherever it stands, also where a person only wrote about it: content
that holds ``<|im_end|>`` ends its message early, and may go on in another's name. Nothing here knows what a turn is.

The list is of tokens that a tokenizer holds for special (its ``special_tokens_map.json`` or the ``"special": true`` of its
``tokenizer_config.json``, a vendor's description of the prompt, or a template), letter by letter, since case and spaces
count there too. Tags that are ordinary text to a tokenizer, such as ``<think>``, are not in it.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits
from typing import Final

import attrs


@attrs.frozen
class Family:
    """The control tokens of one family of models.

    Attributes:
        name: what it is called.
        source: where they are published.
        tokens: the tokens.
    """

    name: str
    source: str
    tokens: tuple[str, ...]


def _family(name: str, source: str, tokens: str) -> Family:
    return Family(name, source, tuple(tokens.split()))


# fmt: off
FAMILIES: Final = (
    _family("ChatML: Qwen, Yi, SmolLM and many more", "https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md",
        "<|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|endofprompt|>"),
    _family("Llama 2", "https://huggingface.co/blog/llama2#how-to-prompt-llama-2",
        "<s> </s> <unk> [INST] [/INST] <<SYS>> <</SYS>>"),
    _family("Llama 3", "https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/",
        "<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|> <|python_tag|> "
        "<|finetune_right_pad_id|>"),
    _family("Llama 4", "https://www.llama.com/docs/model-cards-and-prompt-formats/llama4/",
        "<|header_start|> <|header_end|> <|eot|> <|eom|> <|step|> <|image_start|> <|image_end|> <|image|> <|patch|>"),
    _family("Mistral", "https://github.com/mistralai/mistral-common: SpecialTokens of tokens/tokenizers/base.py",
        "<s> </s> <unk> <pad> [INST] [/INST] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] "
        "[TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [ARGS] [CALL_ID] [IMG] [IMG_BREAK] [IMG_END] "
        "[PREFIX] [MIDDLE] [SUFFIX]"),
    _family("Gemma 1 to 3", "https://ai.google.dev/gemma/docs/core/prompt-structure, and special_tokens_map.json of gemma-3",
        "<start_of_turn> <end_of_turn> <bos> <eos> <pad> <unk> <mask> <start_of_image> <end_of_image> <image_soft_token>"),
    _family("Gemma 4", "https://huggingface.co/google/gemma-4-E4B/blob/main/tokenizer_config.json",
        "<|turn> <turn|> <|channel> <channel|> <|tool> <tool|> <|tool_call> <tool_call|> <|tool_response> <tool_response|> "
        "<|image> <image|> <|audio> <audio|> <|image|> <|audio|> <|video|> <|think|>"),
    _family("Phi 3 and 4", "https://huggingface.co/microsoft/Phi-3-mini-4k-instruct#chat-format",
        "<|system|> <|user|> <|assistant|> <|end|> <|endoftext|>"),
    _family("Zephyr, StarChat, Falcon 3", "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-chat.cpp",
        "<|system|> <|user|> <|assistant|> <|end|> <|endoftext|> </s>"),
    _family("DeepSeek", "https://huggingface.co/deepseek-ai/DeepSeek-R1/blob/main/tokenizer_config.json",
        "<\uff5cbegin\u2581of\u2581sentence\uff5c> <\uff5cend\u2581of\u2581sentence\uff5c> <\uff5cUser\uff5c> <\uff5cAssistant\uff5c> "
        "<\uff5ctool\u2581calls\u2581begin\uff5c> <\uff5ctool\u2581calls\u2581end\uff5c> <|EOT|>"),
    _family("Cohere Command R", "https://huggingface.co/CohereForAI/c4ai-command-r-v01/blob/main/tokenizer_config.json",
        "<PAD> <UNK> <CLS> <SEP> <MASK_TOKEN> <BOS_TOKEN> <EOS_TOKEN> <EOP_TOKEN> <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> "
        "<|SYSTEM_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|>"),
    _family("gpt-oss (harmony)", "https://cookbook.openai.com/articles/openai-harmony",
        "<|start|> <|end|> <|message|> <|channel|> <|constrain|> <|return|> <|call|> <|startoftext|> <|endoftext|>"),
    _family("GLM 4", "https://huggingface.co/zai-org/GLM-4.7-Flash/blob/main/tokenizer_config.json",
        "[MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|> <|endoftext|>"),
    _family("Granite", "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-chat.cpp",
        "<|start_of_role|> <|end_of_role|> <|end_of_text|> <|tool_call|>"),
    _family("EXAONE", "https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct/blob/main/special_tokens_map.json",
        "[BOS] [PAD] [UNK] [|system|] [|user|] [|assistant|] [|tool|] [|endofturn|]"),
    _family("SmolVLM", "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-chat.cpp", "<|im_start|> <end_of_utterance>"),
    _family("Kimi K2, OpenChat", "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-chat.cpp",
        "<|im_system|> <|im_user|> <|im_assistant|> <|im_middle|> <|im_end|> <|end_of_turn|>"),
)
"""The families that are known. What none of them has is still found if it is of one of `SHAPES`."""
# fmt: on

WORD: Final = f"{ascii_letters}{digits}_"

SHAPES: Final = (rf"<\|[{WORD}]+\|>", f"<\uff5c[{WORD}\u2581]+\uff5c>")
"""What most control tokens look like, as regular expressions: a word between bars, plain or, with DeepSeek, wide ones.

Nothing that begins one can stand inside another, so that looking for them takes time in proportion to the text."""

TOKENS: Final = tuple(dict.fromkeys(token for family in FAMILIES for token in family.tokens))
"""Every token of every family, once."""

LITERALS: Final = tuple(token for token in TOKENS if not any(re.fullmatch(shape, token) for shape in SHAPES))
"""The tokens that are of none of `SHAPES`."""

PATTERN: Final = "|".join([*SHAPES, *map(re.escape, LITERALS)])
"""Matches a token. It means the same to `re` and to Arrow's RE2."""

SIGNS: Final = tuple(sorted({token[0] for token in TOKENS}))
"""The characters that tokens begin with: few texts have one."""

_SHAPED: Final = (*(f"<|{sign}" for sign in WORD), "<\uff5c")

OPENINGS: Final = (*_SHAPED, *(token for token in LITERALS if not token.startswith(_SHAPED)))
"""What a token begins with: three bytes in UTF-8 at least, and none begins with another."""

BREAK: Final = "\u200b"
"""What makes a token harmless once it stands after its first character: ZERO WIDTH SPACE.

The text reads as before; the character is no white space to `str.strip`, NFKC leaves it, and no tokenizer of a chat
model is known that drops it before it looks for special tokens. AI2's sanitizer for pretraining data does the same with a private character
(U+10F0F0, after the ``<|``), which needs a tokenizer that drops it; this one is for any. Who takes such characters out of texts should
do so before, not after."""

_TOKEN: Final = re.compile(PATTERN)
_BEGINNING: Final = re.compile(f"(?={PATTERN})(.)")


def control_tokens(text: str) -> list[tuple[int, int]]:
    """Return where each control token of *text* begins, and one past where it ends."""
    for sign in SIGNS:
        if sign in text:
            return [match.span() for match in _TOKEN.finditer(text)]
    return []


def holds_control_token(text: str) -> bool:
    """Tell whether *text* holds a control token."""
    return any(sign in text for sign in SIGNS) and _TOKEN.search(text) is not None


def without_control_tokens(text: str) -> str:
    """Return *text* with a `BREAK` in each control token; a text without any comes back as it is.

    A token is broken wherever one begins, so that none is left where one stood inside another; and none has a `BREAK` in
    it, so that none comes about.
    """
    return _BEGINNING.sub(rf"\1{BREAK}", text) if holds_control_token(text) else text
