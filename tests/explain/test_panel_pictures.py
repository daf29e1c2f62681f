"""The two pictures under the panels: their proportions, and where the picture lies on the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import GRIDS, bright, selection_of
from PIL import Image

from hired_gguf.explain.panel_pictures import PANEL, canvas_picture, full_picture


@pytest.mark.parametrize("size_hw", GRIDS)
def test_panels_have_the_proportions_of_what_they_show(size_hw):
    tiling = selection_of(size_hw).tiling
    canvas, full = canvas_picture(bright(size_hw), tiling), full_picture(bright(size_hw), tiling)
    (rows, columns), edge = tiling.grid, canvas.width // (tiling.grid[1] * tiling.side)
    assert canvas.size == (columns * tiling.side * edge, rows * tiling.side * edge)
    assert PANEL * 0.9 < max(canvas.size) <= PANEL
    height, width = size_hw
    ratio = min(3.0, max(1 / 3, width / height))
    assert max(full.size) == PANEL
    assert full.width / full.height == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize("size_hw", GRIDS)
def test_the_picture_lies_on_the_canvas_as_in_the_tiling(size_hw):
    tiling = selection_of(size_hw).tiling
    canvas = canvas_picture(Image.new("RGB", size_hw[::-1], "white"), tiling)
    scale = canvas.width / tiling.canvas_hw[1]
    (top, left), (height, width) = tiling.offset_yx, tiling.fitted_hw
    expected = np.array([left, top, left + width, top + height]) * scale
    np.testing.assert_allclose(canvas.getbbox(), expected, atol=1.0 + scale / 2)
