"""Selections to draw, and drawings to compare, for the tests of explain."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hired_gguf import LLAVA_NEXT_PINPOINTS, InputError, select_tokens

GRIDS = [  # (height, width) of a picture, at tiles of 56 pixels
    *((112, 112), (56, 112), (112, 56), (168, 56), (56, 168)),
    *((80, 112), (112, 75), (60, 100), (100, 57), (160, 47), (37, 150), (400, 5), (3, 900)),
]


def bright(size_hw, seed=0):
    """A picture that nobody could take for a dimmed one."""
    noise = np.random.default_rng(seed).integers(150, 256, (*size_hw, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def selection_of(size_hw, tile=56, pinpoints=None, seed=0, **options):
    """From random attention, with as many partitions as the size makes."""
    if pinpoints is None:
        pinpoints = [(h * tile // 336, w * tile // 336) for h, w in LLAVA_NEXT_PINPOINTS]
    rng = np.random.default_rng(seed)
    for partitions in (1, 3, 4, 5):
        attention = rng.random((2, partitions, 2, (tile // 14) ** 2), np.float32)
        try:
            return select_tokens(*attention, size_hw, pinpoints, tile=tile, **options)
        except InputError:
            continue
    raise AssertionError(size_hw)


def contains(page, panel):
    """Whether the panel is in the page, pixel by pixel. A row through its middle is looked for first."""
    height, width = panel.shape[:2]
    middle = panel[height // 2].tobytes()
    for y in range(page.shape[0] - height + 1):
        x = page[y + height // 2].tobytes().find(middle)
        while x >= 0:
            if x % 3 == 0 and np.array_equal(page[y : y + height, x // 3 : x // 3 + width], panel):
                return True
            x = page[y + height // 2].tobytes().find(middle, x + 1)
    return False


def same_picture(path, expected):
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        np.testing.assert_array_equal(np.asarray(drawn), np.asarray(expected))
