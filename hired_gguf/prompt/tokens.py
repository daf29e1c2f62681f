"""Prompt pieces to token ids, so that only the template's own text can hold special tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import llama_cpp

from ..native.llama import adds_bos, special_tokens, text_of
from .messages import ImagePart, Part, TextPart

Segment = list[int] | ImagePart


@dataclass
class PromptTokenizer:
    """Tokenises for one language model.

    Runs of plain text between special tokens and images are tokenised whole, template and user text together,
    as Hugging Face and llama.cpp's own multimodal code do it.
    """

    llama: llama_cpp.Llama

    @cached_property
    def specials(self) -> dict[str, int]:
        """Special tokens of the vocabulary by their text."""
        return special_tokens(self.llama)

    def text_of(self, token: int) -> str:
        """The text of a token id, empty for -1 (the vocabulary has none)."""
        return text_of(self.llama, token)

    def __call__(self, pieces: Iterable[str | Part]) -> list[Segment]:
        """Token ids and images in order, never two lists in a row, with the tokenizer's BOS in front."""
        segments: list[Segment] = []
        plain = ""
        for kind, value in self._units(pieces):
            if kind == "plain":
                plain += str(value)
                continue
            _extend(segments, self._encode(plain))
            plain = ""
            if isinstance(value, ImagePart):
                segments.append(value)
            else:
                _extend(segments, [int(str(value))])
        _extend(segments, self._encode(plain))
        return self._with_bos(segments)

    def _units(self, pieces: Iterable[str | Part]) -> Iterable[tuple[str, object]]:
        pattern = "|".join(re.escape(t) for t in sorted(self.specials, key=len, reverse=True))
        for piece in pieces:
            if isinstance(piece, ImagePart):
                yield "image", piece
            elif isinstance(piece, TextPart):
                yield "plain", piece.text
            else:
                for text in re.split(f"({pattern})", piece) if pattern else [piece]:
                    yield ("special", self.specials[text]) if text in self.specials else ("plain", text)

    def _encode(self, text: str) -> list[int]:
        return list(self.llama.tokenize(text.encode(), add_bos=False, special=False)) if text else []

    def _with_bos(self, segments: list[Segment]) -> list[Segment]:
        bos = self.llama.token_bos()
        if bos < 0 or not adds_bos(self.llama):
            return segments
        first = segments[0] if segments else None
        if isinstance(first, list):
            return segments if first[:1] == [bos] else [[bos, *first], *segments[1:]]
        return [[bos], *segments]


def _extend(segments: list[Segment], ids: list[int]) -> None:
    if not ids:
        return
    if segments and isinstance(segments[-1], list):
        segments[-1].extend(ids)
    else:
        segments.append(ids)
