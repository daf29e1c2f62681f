"""What is written and ruled over a panel: borders of tiles, and a label in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..native.load import core
from .blocks import BODY, INK, font

LINE, LABEL = (255, 196, 0), (255, 214, 60)


@dataclass(frozen=True)
class Region:
    """A rectangle in fractions 0..1 of a panel, and the words in its corner."""

    left: float
    top: float
    right: float
    bottom: float
    words: str


def tile_regions(tiling: core.Tiling, words: Sequence[str]) -> list[Region]:
    """The tiles on their canvas."""
    rows, columns = tiling.grid
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    return [
        Region(c / columns, r / rows, (c + 1) / columns, (r + 1) / rows, text)
        for (r, c), text in zip(cells, words, strict=True)
    ]


def picture_regions(tiling: core.Tiling, words: Sequence[str]) -> list[Region]:
    """The tiles on the full image: through the padding, to fractions of the picture."""
    (canvas_h, canvas_w), (height, width), (top, left) = tiling.canvas_hw, tiling.fitted_hw, tiling.offset_yx
    return [
        Region(
            _within((tile.left * canvas_w - left) / width),
            _within((tile.top * canvas_h - top) / height),
            _within((tile.right * canvas_w - left) / width),
            _within((tile.bottom * canvas_h - top) / height),
            tile.words,
        )
        for tile in tile_regions(tiling, words)
    ]


def band_regions(words: Sequence[str]) -> list[Region]:
    """The official allocation's idea of the tiles on the full image: its tokens in flat, equal chunks."""
    return [Region(0, i / len(words), 1, (i + 1) / len(words), text) for i, text in enumerate(words)]


def draw_regions(panel: Image.Image, regions: Sequence[Region]) -> Image.Image:
    """The panel with borders and labels."""
    panel = panel.copy()
    brush = ImageDraw.Draw(panel)
    boxes = [(region, _box(region, panel.size)) for region in regions]
    for _, box in boxes:
        brush.rectangle(box, outline=LINE, width=2)
    for region, (left, top, right, bottom) in boxes:
        words = region.words if _fits(region.words, right - left) else region.words.split()[-1]
        if _fits(words, right - left) and bottom - top > BODY + 8:
            _label(brush, (left + 4, top + 4), words)
    return panel


def _label(brush: ImageDraw.ImageDraw, corner: tuple[int, int], words: str) -> None:
    box = (*corner, corner[0] + round(font(BODY).getlength(words)) + 10, corner[1] + BODY + 7)
    brush.rectangle(box, LABEL)
    brush.text((corner[0] + 5, corner[1] + (BODY + 7) // 2), words, INK, font(BODY), anchor="lm")


def _fits(words: str, width: int) -> bool:
    return font(BODY).getlength(words) + 18 <= width


def _box(region: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    (left, right), (top, bottom) = (
        [round(edge * length) for edge in edges]
        for edges, length in (
            ((region.left, region.right), size[0]),
            ((region.top, region.bottom), size[1]),
        )
    )
    return left, top, max(left + 1, right - 1), max(top + 1, bottom - 1)


def _within(fraction: float) -> float:
    return min(1.0, max(0.0, fraction))
