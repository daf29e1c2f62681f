"""Random pictures and attention, as Hypothesis and NumPy draw them."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from hired_gguf.selection.selection import LLAVA_NEXT_PINPOINTS

THOROUGH = settings(max_examples=500, deadline=None, derandomize=True, database=None)
QUICK = settings(THOROUGH, max_examples=100)

lengths = st.one_of(st.integers(1, 60), st.integers(1, 2000), st.integers(1, 20000))


def attention(partitions, heads=2, tokens=576, seed=0, highest=64):
    """Of the first and the last layer, [2, partitions, heads, tokens]; with ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, highest + 1, (2, partitions, heads, tokens)).astype(np.float32) / 1024


@st.composite
def geometries(draw):
    """(image, pinpoints, tile, patch, unpad) of a tiling."""
    image = (draw(lengths), draw(lengths))
    unpad = draw(st.booleans())
    if draw(st.integers(0, 2)) == 0:
        return image, LLAVA_NEXT_PINPOINTS, 336, 14, unpad
    patch, side = draw(st.integers(1, 14)), draw(st.integers(1, 6))
    tile = patch * side
    grids = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=5))
    return image, [(rows * tile, cols * tile) for rows, cols in grids], tile, patch, unpad
