"""The panels of a drawing: which pixels are bright, and where patches lie."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import GRIDS, bright, selection_of
from golden_pair import photo

from hired_gguf.explain.panel_pictures import canvas_picture, full_picture
from hired_gguf.explain.panels import kept_panels

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all


def patch_box(tiling, partition, token, size):
    """Where a patch of a partition lies on a panel of that (width, height): left, top, right, bottom."""
    row, column = divmod(token, tiling.side)
    rows = columns = tiling.side
    if partition:
        rows, columns = (n * tiling.side for n in tiling.grid)
        tile_row, tile_column = divmod(partition - 1, tiling.grid[1])
        row, column = row + tile_row * tiling.side, column + tile_column * tiling.side
    width, height = size
    edges = [
        (column, columns, width),
        (column + 1, columns, width),
        (row, rows, height),
        (row + 1, rows, height),
    ]
    left, right, top, bottom = (-(-i * length // n) for i, n, length in edges)  # pixels whose patch it is
    return left, top, right, bottom


def check_patches(selection, picture):
    """Every patch of the panels is what the selection says of it."""
    tiling = selection.tiling
    panels = kept_panels(selection, picture)
    bases = [full_picture(picture, tiling), canvas_picture(picture, tiling)][: len(panels)]
    seen = np.zeros_like(selection.mask)
    for partition, token in np.ndindex(selection.mask.shape):
        panel, base = (images[min(1, partition)] for images in (panels, bases))
        box = patch_box(tiling, partition, token, panel.size)
        drawn, original = (np.asarray(image.crop(box), int) for image in (panel, base))
        if selection.packed[partition, token]:
            seen[partition, token] = np.array_equal(drawn, original)
            continue
        inside = drawn[1:-1, 1:-1]  # a line around its neighbours may be at its edge
        if selection.padding[partition, token]:
            assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 1
        else:
            assert (inside <= 120).all()
            assert (inside.sum() < original[1:-1, 1:-1].sum()) or not original[1:-1, 1:-1].any()
    np.testing.assert_array_equal(seen, selection.packed)


@pytest.mark.parametrize("size_hw", GRIDS)
def test_kept_patches_are_bright_and_dropped_ones_dim(size_hw):
    check_patches(selection_of(size_hw, budget=0.3), bright(size_hw))


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
@pytest.mark.parametrize("budget", [1, 0.25, 1.0])
def test_any_allocation_and_budget(allocation, budget):
    selection = selection_of((70, 110), budget=budget, allocation=allocation)
    check_patches(selection, bright((70, 110)))


@pytest.mark.parametrize("size_hw", [(480, 640), (336, 1008)])
def test_tiles_of_the_real_size(size_hw):
    check_patches(selection_of(size_hw, tile=336), bright(size_hw))


def test_a_real_selection(encoder):
    encoding = encoder.encode(photo("astronaut"), features=False)
    lighter = encoding.picture.point(lambda value: 150 + value * 105 // 255)
    check_patches(encoding.select(0.2), lighter)
