"""What holds the tokens of an answer to a JSON schema while they are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import llama_cpp
import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from ..errors import NativeError
from ..native.vocabulary import is_end, token_bytes
from ..prompt.json_grammar import JsonGrammar

Scores = npt.NDArray[np.single]

START = b"\x02"  # a character that joins no other

_tokenizers: WeakKeyDictionary[llama_cpp.Llama, LLTokenizer] = WeakKeyDictionary()


class Constraint:
    """A grammar's state in one answer: `mask` before each token, `accept` after it."""

    def __init__(self, llama: llama_cpp.Llama, grammar: JsonGrammar) -> None:
        self._matcher = LLMatcher(_tokenizer(llama), grammar.text, log_level=0)
        self._require_sound()

    @property
    def done(self) -> bool:
        """Whether nothing can follow."""
        return bool(self._matcher.is_stopped())

    def mask(self, ids: Any, scores: Scores) -> Scores:
        """A logits processor: minus infinity for what the grammar does not allow. Never raises."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        allowed = np.unpackbits(bits, count=len(scores), bitorder="little").view(bool)
        return np.where(allowed, scores, np.single(-np.inf))

    def accept(self, token: int) -> None:
        """Take note of the token that was sampled. Raises NativeError where the grammar's bounds end."""
        self._matcher.consume_token(token)
        self._require_sound()

    def _require_sound(self) -> None:
        if self._matcher.is_error():
            raise NativeError(f"[llguidance] the answer's schema: {self._matcher.get_error()[:300]}")


class _Vocabulary:
    """A vocabulary as llguidance wants it. It must not keep the Llama alive."""

    bos_token_id = None

    def __init__(self, llama: llama_cpp.Llama) -> None:
        self._llama = ref(llama)
        self.tokens = [token_bytes(llama, i) for i in range(llama.n_vocab())]
        self.ends = [i for i in range(llama.n_vocab()) if is_end(llama, i)]
        self.special_token_ids = sorted({*self.ends, *(i for i, t in enumerate(self.tokens) if not t)})
        for i in self.special_token_ids:
            self.tokens[i] = b"<%d>" % i
        self.eos_token_id = self.ends[0] if self.ends else self.special_token_ids[0]

    def __call__(self, text: bytes) -> Sequence[int]:
        """As llama.cpp tokenises it in the middle of an answer: without the blank of a beginning."""
        llama = self._llama()
        ids = llama.tokenize(START + text, add_bos=False, special=False) if llama is not None else []
        before = b""
        for i, token in enumerate(ids):
            if before.endswith(START):
                return list(ids[i:])
            before += self.tokens[token]
        return []


def _tokenizer(llama: llama_cpp.Llama) -> LLTokenizer:
    if llama not in _tokenizers:
        words = _Vocabulary(llama)
        ends = words.ends or [words.eos_token_id]
        _tokenizers[llama] = LLTokenizer(TokenizerWrapper(words), eos_token=ends)
    return _tokenizers[llama]
