"""Whether the characters of an answer stay."""

from __future__ import annotations

from golden_pair import photo

from hired_gguf.evaluation.recall import all_kept, patches_of


def test_characters_are_looked_for_in_their_tile(encoder):
    encoding = encoder.encode(photo("rocket"))
    tiling, side = encoding.tiling, encoding.tiling.side
    scale = tiling.fitted_hw[1] / tiling.image_size_hw[1]
    (top, left), last = tiling.offset_yx, tiling.partitions - 1
    row, column = (last - 1) // tiling.grid[1], (last - 1) % tiling.grid[1]
    x, y = (
        column * tiling.tile + tiling.patch,
        row * tiling.tile,
    )  # the second patch of the last tile's first row
    edges = ((x - left) / scale, (y - top) / scale)
    patch = tiling.patch / scale
    found = patches_of([(*edges, edges[0] + patch, edges[1] + patch)], tiling)
    assert found.tolist() == [last * tiling.tokens + 1]
    assert side > 1
    for budget in (1.0, 1):
        selection = encoding.select(budget)
        assert all_kept(found, selection) == selection.packed[last, 1]
    assert all_kept(patches_of([], tiling), encoding.select(1))
