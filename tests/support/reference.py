"""The NumPy twin of cpp/core: tiling, the hired and uniform allocations, selection and packing.

Written from the formulas and meant to be obvious, not fast: areas are counted cell by cell, remainders shared
out in fractions, and the mosaic is an array of ids that is sliced. Attention must be multiples of 1/1024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass
class Twin:
    canvas: tuple[int, int]
    fitted: tuple[int, int]
    offset: tuple[int, int]
    grid: tuple[int, int]
    side: int
    tile: int
    unpad: bool
    mosaic: np.ndarray  # ids partition * N + token where the picture is, [rows, cols]

    @property
    def partitions(self):
        return 1 + self.grid[0] * self.grid[1]

    @property
    def tokens(self):
        return self.side**2

    def without_padding(self):
        """[P, N], false for padding."""
        keep = np.zeros(self.partitions * self.tokens, bool)
        keep[: self.tokens] = True
        keep[self.mosaic.ravel()] = True
        return keep.reshape(self.partitions, self.tokens)


def tiling(image, pinpoints, tile, patch, unpad=True):
    side = tile // patch
    if not pinpoints:
        return Twin((tile, tile), (tile, tile), (0, 0), (0, 0), side, tile, unpad, np.zeros((0, 0), int))
    canvas = max(pinpoints, key=lambda pinpoint: _fitness(image, pinpoint))
    fitted = _fit(image, canvas)
    offset = tuple((outer - inner) // 2 for outer, inner in zip(canvas, fitted, strict=True))
    grid = (canvas[0] // tile, canvas[1] // tile)
    ids = side**2 + np.arange(grid[0] * grid[1] * side**2).reshape(*grid, side, side)
    mosaic = np.block([[ids[row, col] for col in range(grid[1])] for row in range(grid[0])])
    return Twin(
        canvas, fitted, offset, grid, side, tile, unpad, _without_padding(mosaic, image) if unpad else mosaic
    )


def _fitness(image, pinpoint):
    scale = min(pinpoint[1] / image[1], pinpoint[0] / image[0])
    effective = min(int(image[0] * scale) * int(image[1] * scale), image[0] * image[1])
    return effective, effective - pinpoint[0] * pinpoint[1]


def _fit(image, canvas):
    by_height, by_width = canvas[0] / image[0], canvas[1] / image[1]
    if by_width < by_height:
        return min(math.ceil(image[0] * by_width), canvas[0]), canvas[1]
    return canvas[0], min(math.ceil(image[1] * by_height), canvas[1])


def _without_padding(mosaic, image):
    rows, cols = mosaic.shape
    if image[1] / image[0] > cols / rows:
        return _middle(mosaic, int(round(image[0] * (cols / image[1]), 7)))
    return _middle(mosaic.T, int(round(image[1] * (rows / image[0]), 7))).T


def _middle(rows, length):
    padding = (len(rows) - length) // 2
    return rows[padding : len(rows) - padding]


def area_counts(t, axis):
    """[tiles, side]: how many cells of a full-image patch lie in a tile, along one axis.

    The picture is cut into cells so fine that the borders of patches and of canvas pixels are cell borders.
    """
    cells = np.arange(t.fitted[axis] * t.side)
    patch = cells // t.fitted[axis]
    tile = (t.offset[axis] + cells // t.side) // t.tile
    counts = np.zeros((t.grid[axis], t.side), np.int64)
    np.add.at(counts, (tile, patch), 1)
    return counts


def share_out(total, weights, room):
    """Water-filling, then largest remainders."""
    counts = [0] * len(weights)
    weights = [Fraction(int(w)) for w in weights]
    open_ = list(range(len(weights)))
    while open_:
        whole = sum(weights[i] for i in open_)
        if whole == 0:
            weights = [Fraction(int(r)) for r in room]
            whole = sum(weights[i] for i in open_)
        quotas = {i: total * weights[i] / whole if whole else Fraction(0) for i in open_}
        full = [i for i in open_ if quotas[i] >= room[i]]
        if not full:
            break
        for i in full:
            counts[i] = int(room[i])
        total -= sum(counts[i] for i in full)
        open_ = [i for i in open_ if i not in full]
    for i in open_:
        counts[i] = math.floor(quotas[i])
    left = total - sum(counts[i] for i in open_)
    by_fraction = sorted(open_, key=lambda i: (-(quotas[i] % 1), i))
    for i in by_fraction[:left] if open_ else []:
        counts[i] += 1
    return counts


def allocate(t, first, budget, alpha, allocation):
    room = t.without_padding().sum(1)
    if allocation == "uniform":
        return share_out(budget, [1] * t.partitions, room)
    if t.partitions == 1:
        return [min(budget, t.tokens)]
    full_image = min(math.floor(alpha * budget), t.tokens)
    scores = (first[0].astype(np.float64).sum(0) * 1024).astype(np.int64).reshape(t.side, t.side)
    weights = area_counts(t, 0) @ scores @ area_counts(t, 1).T
    tiles = share_out(budget - full_image, weights.ravel(), room[1:])
    return [min(budget - sum(tiles), t.tokens), *tiles]


def select(t, first, last, budget, *, alpha, allocation):
    """(mask [P, N], counts [P])."""
    allowed = t.without_padding()
    counts = allocate(t, first, budget, alpha, allocation)
    scores = last.astype(np.float64).sum(1)
    mask = np.zeros_like(allowed)
    for p, count in enumerate(counts):
        best_first = sorted(np.flatnonzero(allowed[p]), key=lambda j, p=p: (-scores[p, j], j))
        mask[p, best_first[:count]] = True
    return mask, counts


def pack(t, mask, newlines):
    kept = set(np.flatnonzero(mask & t.without_padding()).tolist())
    full_image = [i for i in range(t.tokens) if i in kept]
    if not t.unpad:
        return full_image + [i for i in range(t.tokens, mask.size) if i in kept]
    everything = len(kept) == t.without_padding().sum()
    newline = [-1] if newlines == "keep" or (newlines == "auto" and everything) else []
    rows = [[i for i in row if i in kept] for row in t.mosaic.tolist()]
    return full_image + [i for row in rows if row for i in row + newline]
