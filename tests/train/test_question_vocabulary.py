"""The vocabulary of the built-in model."""

from __future__ import annotations

import string

from train.question_vocabulary import WORDS, build

from hired_gguf.scenes.words import COLOURS, DIGITS, FIELDS, SHAPES
from hired_gguf.synthetic.vocabulary import MARK


def test_vocabulary_has_every_word_and_character_once():
    tokens = build().tokens
    assert len(set(tokens)) == len(tokens)
    for word in (*WORDS, *COLOURS, *SHAPES, *FIELDS, *string.ascii_letters):
        assert MARK + word in tokens
    assert not [digit for digit in DIGITS if MARK + digit in tokens or digit not in tokens]
