"""Pages of characters, which teach reading."""

from __future__ import annotations

import random

import numpy as np
import pytest
from train import alphabet
from train.patch_labels import GROUPS, LENGTH
from train.sizes import PATCH, SIDE, TILE, TOKENS
from training import SEED

from hired_gguf.scenes.words import CHARACTERS


@pytest.mark.parametrize("index", range(3))
def test_an_alphabet_page_has_its_characters_where_they_stand(index):
    pixels, targets = alphabet.page(SEED, index)
    assert (pixels.shape, pixels.dtype) == ((TILE, TILE, 3), np.uint8)
    assert (targets.shape, targets.dtype) == ((TOKENS, len(GROUPS)), np.uint8)
    assert (targets[:, LENGTH + 1 :] == alphabet.UNKNOWN).all()
    _, words = alphabet._sheet(random.Random(f"page/{SEED}/{index}"))
    right = []
    for word in words:
        if all(0 <= edge < TILE for _, box in word for edge in box):
            for i, (character, (left, top, right_edge, bottom)) in enumerate(word):
                column, row = int((left + right_edge) / 2 // PATCH), int((top + bottom) / 2 // PATCH)
                patch = targets[row * SIDE + column]
                right.append((patch[i], patch[LENGTH]) == (CHARACTERS.index(character) + 1, len(word)))
    assert len(right) > 15
    assert np.mean(right) > 0.75  # a patch shows several: the last one written counts
    known = targets[(targets[:, LENGTH] > 0) & (targets[:, LENGTH] < alphabet.UNKNOWN)]
    assert (known[:, :LENGTH] <= len(CHARACTERS)).all()
    assert known[:, :LENGTH].any(-1).all()


def test_pages_are_the_same_every_time():
    first, again, other = (alphabet.page(SEED, index) for index in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != three).any()
