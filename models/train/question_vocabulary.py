"""The built-in model's tokens: words of the questions whole, everything else by characters and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_letters

from hired_gguf.scenes.words import COLOURS, FIELDS, SHAPES
from hired_gguf.synthetic.vocabulary import MARK, Vocabulary, prefixes, vocabulary_of

WORDS = [
    "USER",
    "ASSISTANT",
    "What",
    "How",
    "Which",
    "Is",
    "Count",
    "Read",
    "Do",
    "the",
    "is",
    "on",
    "of",
    "or",
    "are",
    "there",
    "many",
    "you",
    "see",
    "a",
    "an",
    "that",
    "says",
    "say",
    "does",
    "slip",
    "number",
    "code",
    "word",
    "colour",
    "left",
    "right",
    "above",
    "below",
    "middle",
    "yes",
    "no",
]


def spellings() -> Iterator[str]:
    """Yield every word with its mark, also bare where it can follow a picture, and all letters.

    In a text that is read, no piece holds two characters. The first letter is one piece with the mark, as it
    begins some word of the questions anyway; a digit is always the same piece.
    """
    plurals = [f"{shape}s" for shape in SHAPES]
    for word in (*WORDS, *COLOURS, *SHAPES, *plurals, *FIELDS, *ascii_letters):
        yield MARK + word
        if word.istitle() and len(word) > 1:
            yield word


def build() -> Vocabulary:
    """The vocabulary."""
    return vocabulary_of(prefixes(spellings()))
