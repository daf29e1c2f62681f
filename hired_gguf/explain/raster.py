"""Values of patches as they lie on a picture: the full image's as one raster, the tiles' as a mosaic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..native.load import core

Values = NDArray[Any]


def full_raster(values: Values, tiling: core.Tiling) -> Values:
    """[P, N] to the full image's [side, side]."""
    return values[:1].reshape(tiling.side, tiling.side)


def mosaic_raster(values: Values, tiling: core.Tiling) -> Values:
    """[P, N] to the tiles' [rows * side, columns * side]."""
    (rows, columns), side = tiling.grid, tiling.side
    tiles = values[1:].reshape(rows, columns, side, side).transpose(0, 2, 1, 3)
    return tiles.reshape(rows * side, columns * side)


def to_pixels(raster: Values, size: tuple[int, int]) -> Values:
    """[rows, columns] to [height, width]: what each pixel of a panel of ``size`` (width, height) shows."""
    y = np.arange(size[1]) * raster.shape[0] // size[1]
    x = np.arange(size[0]) * raster.shape[1] // size[0]
    spread: Values = raster.take(y, axis=0).take(x, axis=1)
    return spread
