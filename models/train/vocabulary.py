"""The built-in model's tokens: words of the questions whole, everything else by characters and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_letters, digits

from vocabulary import MARK, Vocabulary, prefixes, vocabulary_of

from hired_gguf.scenes.words import COLOURS, FIELDS, SHAPES

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
    "yes",
    "no",
]


def spellings() -> Iterator[str]:
    """Yield every word with its mark, also bare where it can follow a picture, and all letters and digits.

    The first character of an answer is always one piece with the mark, the others are pieces of their own: no
    piece but a word of the questions holds two.
    """
    plurals = [f"{shape}s" for shape in SHAPES]
    for word in (*WORDS, *COLOURS, *SHAPES, *plurals, *FIELDS, *ascii_letters, *digits):
        yield MARK + word
        if word.istitle() and len(word) > 1:
            yield word


def build() -> Vocabulary:
    """The vocabulary."""
    return vocabulary_of(prefixes(spellings()))
