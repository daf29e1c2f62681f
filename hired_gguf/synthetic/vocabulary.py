"""A SentencePiece-like vocabulary of any size that turns ordinary English into about a token a word.

llama.cpp's SPM tokenizer merges two neighbours only when the result is a piece, best score first. So every
prefix of a word is a piece too; and as pieces start with the word mark or a capital, nothing inside a word
can merge on its own and spoil it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from string import ascii_letters, printable

from gguf import TokenType

from ..errors import InputError
from .english import WORDS

MARK = "\u2581"  # SentencePiece's visible space
SPECIAL = (("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL))
UNKNOWN_ID, BOS_ID, EOS_ID = range(3)
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CHARACTERS = [MARK, *(c for c in printable if c.isprintable() and c != " ")]
FIRST_PIECE = len(SPECIAL) + len(BYTES)  # ids below this are no text


@dataclass(frozen=True)
class Vocabulary:
    """The three parallel arrays of `tokenizer.ggml.*`."""

    tokens: list[str]
    scores: list[float]
    types: list[int]


def made_up_words() -> Iterator[str]:
    """Endless pronounceable words, the same ones always."""
    rng = random.Random(0)
    while True:
        yield "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))


def words() -> Iterator[str]:
    """Every word as it is spelled in a text: marked, and bare too if it may start a line."""
    for word in (*WORDS.split(), *ascii_letters):
        yield MARK + word
        if word[0].isupper():
            yield word
    for word in made_up_words():
        yield MARK + word


def prefixes(spellings: Iterable[str]) -> Iterator[str]:
    """All prefixes of two characters or more, shortest first, each once."""
    seen: set[str] = set()
    for word in spellings:
        for length in range(2, len(word) + 1):
            if word[:length] not in seen:
                seen.add(word[:length])
                yield word[:length]


def build_vocabulary(size: int) -> Vocabulary:
    """Exactly ``size`` tokens: specials, bytes, marked pieces, bare pieces, characters. Raises InputError."""
    room = size - FIRST_PIECE - len(CHARACTERS)
    if room < 0:
        raise InputError(f"the vocabulary's size is {size}; allowed: {size - room} and more")
    return vocabulary_of(islice(prefixes(words()), room))


def vocabulary_of(found: Iterable[str]) -> Vocabulary:
    """Specials, bytes, these pieces and single characters."""
    # Marked pieces come first and so score higher: in a marked word they win over the bare spelling.
    pieces = sorted(found, key=lambda piece: piece[0] != MARK)
    pieces += CHARACTERS
    return Vocabulary(
        tokens=[name for name, _ in SPECIAL] + BYTES + pieces,
        scores=[0.0] * FIRST_PIECE + [-float(rank) for rank in range(len(pieces))],
        types=[*(int(kind) for _, kind in SPECIAL), *[int(TokenType.BYTE)] * 256]
        + [int(TokenType.NORMAL)] * len(pieces),
    )
