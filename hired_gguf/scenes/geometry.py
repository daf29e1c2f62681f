"""Where things of a picture are in its partitions, patch by patch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..native.load import core
from .scene import Box

#: x' = a x + c, y' = b y + d, from pixels of the picture to pixels of a partition.
Transform = tuple[float, float, float, float]
SHARE = 0.4  # of a character, so that a patch shows it


def views(tiling: core.Tiling) -> Iterator[tuple[int, Transform]]:
    """Yield each partition with its transform."""
    height, width = tiling.image_size_hw
    yield 0, (tiling.tile / width, tiling.tile / height, 0, 0)
    (rows, columns), scale = tiling.grid, tiling.fitted_hw[1] / width
    top, left = tiling.offset_yx
    for i in range(rows * columns):
        yield i + 1, (scale, scale, left - i % columns * tiling.tile, top - i // columns * tiling.tile)


def moved(box: Box, transform: Transform) -> Box:
    """The box in a partition."""
    a, b, c, d = transform
    return a * box[0] + c, b * box[1] + d, a * box[2] + c, b * box[3] + d


def cover(box: Box, side: int, patch: int) -> NDArray[np.float64]:
    """How many square pixels of each patch the box covers, [side, side]."""
    edges = np.arange(side) * patch
    across = np.clip(np.minimum(edges + patch, box[2]) - np.maximum(edges, box[0]), 0, None)
    down = np.clip(np.minimum(edges + patch, box[3]) - np.maximum(edges, box[1]), 0, None)
    return np.outer(down, across)


def most(inside: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The patch that holds most of it, none if it lies outside."""
    found: NDArray[np.bool_] = (inside == inside.max()) & (inside > 0)
    return found


def shows(box: Box, transform: Transform, side: int, patch: int) -> NDArray[np.bool_]:
    """The patches of a partition where a character is seen: most of it, and any with `SHARE` of it."""
    a, b, _, _ = transform
    inside, area = cover(moved(box, transform), side, patch), (box[2] - box[0]) * (box[3] - box[1]) * a * b
    return (inside >= SHARE * area) | most(inside)
