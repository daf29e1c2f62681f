"""Regions of a panel that get a label."""

from __future__ import annotations

import pytest
from drawings import GRIDS, selection_of

from hired_gguf.explain.labels import band_regions, picture_regions


@pytest.mark.parametrize("size_hw", GRIDS[:10])
def test_regions_of_the_tiles_cover_the_full_image(size_hw):
    tiling = selection_of(size_hw).tiling
    regions = picture_regions(tiling, [str(i) for i in range(tiling.partitions - 1)])
    area = sum((r.right - r.left) * (r.bottom - r.top) for r in regions)
    assert area == pytest.approx(1)
    assert band_regions(["a", "b"])[1].top == 0.5
