"""Entries of the cache of encoded images."""

from __future__ import annotations

import numpy as np
from golden_pair import answer_of, image, photo, user

from hired_gguf.vision.cache import NAMES

SEEN = [user(image(photo()), "What is this?")]


def key(number):
    """A key that no image has."""
    return f"{number:064x}"


def assert_equal(found, right):
    """The same numbers, and the same selections of them."""
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name))
    for budget in (0.2, 1.0):
        np.testing.assert_array_equal(found.pack(found.select(budget)), right.pack(right.select(budget)))


def ask(handler, llama, messages=SEEN):
    """The greedy answer of a handler."""
    return answer_of(handler(llama=llama, messages=messages, max_tokens=8, temperature=0))
