"""A language model's vocabulary, by llama.cpp's public functions: texts, bytes and attributes of its tokens.

Raises ClosedError if the Llama was closed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import llama_cpp

from .llama import require_open

# What llama.cpp takes for special text when asked to parse it (llama-vocab.cpp: tokenizer_st_partition).
_SPECIAL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


@dataclass(frozen=True)
class SpecialToken:
    """A token that only a template may write. ``lstrip`` and ``rstrip`` drop the blanks on that side."""

    id: int
    text: str
    lstrip: bool = False
    rstrip: bool = False


_special: WeakKeyDictionary[llama_cpp.Llama, tuple[SpecialToken, ...]] = WeakKeyDictionary()


def special_tokens(llama: llama_cpp.Llama) -> tuple[SpecialToken, ...]:
    """The special tokens, in the order of their ids. llama.cpp guesses what they strip from general.name."""
    require_open(llama)
    if llama not in _special:
        _special[llama] = tuple(_find_special(llama))
    return _special[llama]


def _find_special(llama: llama_cpp.Llama) -> Iterator[SpecialToken]:
    vocab = _vocab(llama)
    for token in range(llama.n_vocab()):
        attributes = llama_cpp.llama_vocab_get_attr(vocab, token)
        if attributes & _SPECIAL and (text := token_text(llama, token)):
            lstrip = bool(attributes & llama_cpp.LLAMA_TOKEN_ATTR_LSTRIP)
            rstrip = bool(attributes & llama_cpp.LLAMA_TOKEN_ATTR_RSTRIP)
            yield SpecialToken(token, text, lstrip, rstrip)


def token_text(llama: llama_cpp.Llama, token: int) -> str:
    """The text of a token as the vocabulary spells it; empty for -1 (the vocabulary has none)."""
    text = llama_cpp.llama_vocab_get_text(_vocab(llama), token) if token >= 0 else b""
    return (text or b"").decode(errors="surrogateescape")


def token_bytes(llama: llama_cpp.Llama, token: int) -> bytes:
    """What a token adds to an answer: any bytes, whole characters or not. Special tokens add nothing."""
    vocab, size = _vocab(llama), 64
    while True:
        buffer = ctypes.create_string_buffer(size)
        written = llama_cpp.llama_token_to_piece(vocab, token, buffer, size, 0, False)
        if written >= 0:
            return buffer.raw[:written]
        size = -written


def is_end(llama: llama_cpp.Llama, token: int) -> bool:
    """Whether a token ends an answer."""
    return bool(llama_cpp.llama_vocab_is_eog(_vocab(llama), token))


def _vocab(llama: llama_cpp.Llama) -> Any:
    require_open(llama)
    return llama_cpp.llama_model_get_vocab(llama.model)
