"""Logarithms of probabilities for the tokens of an answer, as numbers that JSON can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..native.llama import log_probabilities
from ..native.vocabulary import token_bytes

IMPOSSIBLE = -9999.0  # OpenAI's number for a probability of none, which has no finite logarithm


@dataclass
class Logprobs:
    """Entries of tokens that wait for their text to be shown. ``count`` alternatives come with each."""

    llama: llama_cpp.Llama
    count: int
    _waiting: list[tuple[int, str, float, dict[str, float]]] = field(default_factory=list)

    def add(self, token: int, position: int, start: int) -> None:
        """Enter a token that follows a position, and whose text begins at a character of the answer."""
        found = log_probabilities(self.llama, position)
        best = np.argsort(-found, kind="stable")[: self.count]
        top = {self._text(i): _finite(found[i]) for i in best.tolist()}
        own = _finite(found[token])
        top[self._text(token)] = own
        self._waiting.append((start, self._text(token), own, top))

    def release(self, shown: int | None) -> dict[str, Any] | None:
        """The entries of tokens that begin before a character, or all; None if there are none."""
        out = [entry for entry in self._waiting if shown is None or entry[0] < shown]
        self._waiting = self._waiting[len(out) :]
        if not out:
            return None
        offsets, tokens, own, top = (list(column) for column in zip(*out, strict=True))
        return {"tokens": tokens, "text_offset": offsets, "token_logprobs": own, "top_logprobs": top}

    def _text(self, token: int) -> str:
        return token_bytes(self.llama, token).decode(errors="replace")


def joined(parts: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The entries of a whole answer."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return {key: [item for part in found for item in part[key]] for key in found[0]}


def _finite(value: npt.NDArray[np.float64] | float) -> float:
    return max(float(value), IMPOSSIBLE) if np.isfinite(value) else IMPOSSIBLE
