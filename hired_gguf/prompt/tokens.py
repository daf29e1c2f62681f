"""Prompt pieces to token ids, so that only the template's own text can hold special tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import llama_cpp

from ..native.llama import adds_bos
from ..native.vocabulary import SpecialToken, special_tokens, token_text
from .messages import ImagePart, Part, TextPart

Segment = list[int] | ImagePart
Unit = str | SpecialToken | ImagePart

BLANKS = " \t\n\v\f\r"  # C's isspace


@dataclass
class PromptTokenizer:
    """Tokenises for one language model.

    Runs of plain text between special tokens and images are tokenised whole, template and user text together,
    as Hugging Face and llama.cpp's own multimodal code do it. Blanks beside a special token are dropped where
    the vocabulary says so: Phi-3's tokens strip what follows them.
    """

    llama: llama_cpp.Llama

    @cached_property
    def specials(self) -> dict[str, int]:
        """Special tokens of the vocabulary by their text."""
        return {special.text: special.id for special in self._longest_first}

    @cached_property
    def _longest_first(self) -> list[SpecialToken]:
        return sorted(
            special_tokens(self.llama), key=lambda special: -len(special.text.encode(errors="replace"))
        )

    def text_of(self, token: int) -> str:
        """The text of a token id, empty for -1 (the vocabulary has none)."""
        return token_text(self.llama, token)

    def __call__(self, pieces: Iterable[str | Part]) -> list[Segment]:
        """Token ids and images in order, never two lists in a row, with the tokenizer's BOS in front."""
        segments: list[Segment] = []
        plain = ""
        for unit in strip_beside(self._units(pieces)):
            if isinstance(unit, str):
                plain += unit
                continue
            _extend(segments, self.encode(plain))
            plain = ""
            if isinstance(unit, ImagePart):
                segments.append(unit)
            else:
                _extend(segments, [unit.id])
        _extend(segments, self.encode(plain))
        return self._with_bos(segments)

    def _units(self, pieces: Iterable[str | Part]) -> Iterable[Unit]:
        for piece in pieces:
            if isinstance(piece, ImagePart):
                yield piece
            elif isinstance(piece, TextPart):
                yield piece.text
            else:
                yield from partition(piece, self._longest_first)

    def encode(self, text: str) -> list[int]:
        """The token ids of plain text, none of them special."""
        return list(self.llama.tokenize(text.encode(), add_bos=False, special=False)) if text else []

    def _with_bos(self, segments: list[Segment]) -> list[Segment]:
        bos = self.llama.token_bos()
        if bos < 0 or not adds_bos(self.llama):
            return segments
        first = segments[0] if segments else None
        if isinstance(first, list):
            return segments if first[:1] == [bos] else [[bos, *first], *segments[1:]]
        return [[bos], *segments]


def partition(text: str, specials: Iterable[SpecialToken]) -> list[Unit]:
    """Text and its special tokens: each in turn is looked for in what those before it left.

    As llama.cpp does it, longest first (llama-vocab.cpp: tokenizer_st_partition).
    """
    units: list[Unit] = [text] if text else []
    for special in specials:
        if special.text in text:
            units = [part for unit in units for part in _split(unit, special)]
    return units


def _split(unit: Unit, special: SpecialToken) -> list[Unit]:
    if not isinstance(unit, str):
        return [unit]
    found: list[Unit] = []
    left, match, rest = unit.partition(special.text)
    while match:
        left = left.rstrip(BLANKS) if special.lstrip else left
        found += [left, special] if left else [special]
        rest = rest.lstrip(BLANKS) if special.rstrip else rest
        left, match, rest = rest.partition(special.text)
    return [*found, left] if left else found


def strip_beside(units: Iterable[Unit]) -> list[Unit]:
    """Drop the blanks that special tokens strip of the words beside them, up to the next token or image."""
    behind = _strip(units, "rstrip", str.lstrip)
    return _strip(reversed(behind), "lstrip", str.rstrip)[::-1]


def _strip(units: Iterable[Unit], mark: str, strip: Callable[[str, str], str]) -> list[Unit]:
    kept: list[Unit] = []
    strips = False
    for unit in units:
        kept.append(strip(unit, BLANKS) if strips and isinstance(unit, str) else unit)
        if isinstance(unit, str):
            strips = strips and not kept[-1]
        else:
            strips = isinstance(unit, SpecialToken) and getattr(unit, mark)
    return [unit for unit in kept if unit != ""]


def _extend(segments: list[Segment], ids: list[int]) -> None:
    if not ids:
        return
    if segments and isinstance(segments[-1], list):
        segments[-1].extend(ids)
    else:
        segments.append(ids)
