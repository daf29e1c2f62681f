"""Places for things: apart from each other, and never across the border of two tiles.

A text that two tiles share is read by neither; that is a limit of cutting pictures up, not one of dropping
tokens.
"""

from __future__ import annotations

import random

from ..native.load import core
from .scene import Box

GRIDS = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))  # LLaVA-Next's five, (rows, columns)
APART = 4  # pixels between two things, on the canvas


def pinpoints(tile: int) -> list[tuple[int, int]]:
    """The canvases (height, width) of a LLaVA-Next whose tiles are that large."""
    return [(rows * tile, columns * tile) for rows, columns in GRIDS]


def random_tiling(rng: random.Random, tile: int, patch: int = 14) -> core.Tiling:
    """Some picture size that gives one of the five grids, all as likely, in free aspect ratios."""
    grid = rng.choice(GRIDS)
    while True:
        size = [side * tile * rng.uniform(0.8, 1.6) for side in grid]
        scale = rng.uniform(0.8, 1.5) * min(
            side * tile / length for side, length in zip(grid, size, strict=True)
        )
        height, width = (round(length * scale) for length in size)
        tiling = core.make_tiling((height, width), pinpoints(tile), tile, patch)
        if tuple(tiling.grid) == grid and min(tiling.fitted_hw) > tile * 0.7:
            return tiling


class Layout:
    """Free room on the canvas of a tiling, in pixels of the picture, which the canvas shows at `scale`."""

    def __init__(self, rng: random.Random, tiling: core.Tiling) -> None:
        self._rng = rng
        self._taken: list[Box] = []
        (height, width), (top, left) = tiling.fitted_hw, tiling.offset_yx
        self.scale = width / tiling.image_size_hw[1]
        rows, columns = tiling.grid
        corners = [
            (column * tiling.tile, row * tiling.tile) for row in range(rows) for column in range(columns)
        ]
        self.rooms = [
            (
                max(x, left) - left,
                max(y, top) - top,
                min(x + tiling.tile, left + width) - left,
                min(y + tiling.tile, top + height) - top,
            )
            for x, y in corners
        ]

    def place(self, size_wh: tuple[int, int], tries: int = 30) -> tuple[int, int] | None:
        """Left and top of a free place for something of that size, None if none was found."""
        width, height = (length * self.scale for length in size_wh)
        for _ in range(tries):
            left, top, right, bottom = self._rng.choice(self.rooms)
            if right - left < width + 2 * APART or bottom - top < height + 2 * APART:
                continue
            x = self._rng.uniform(left + APART, right - APART - width)
            y = self._rng.uniform(top + APART, bottom - APART - height)
            box = (x - APART, y - APART, x + width + APART, y + height + APART)
            if all(not _overlap(box, other) for other in self._taken):
                self._taken.append(box)
                return round(x / self.scale), round(y / self.scale)
        return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
