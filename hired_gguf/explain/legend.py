"""What the colours of a drawing mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..selection.selection import Selection
from .blocks import BODY, INK, PAPER, font, grid, stack
from .labels import LINE
from .shade import PADDING, dimmed, heat_colour

HEAT = "attention or worth, from none to most (of each partition, by its square root)"
HEIGHT, SWATCH, BAR, GAP = 30, 34, 150, 30
KEPT = np.array((226.0, 150.0, 110.0))  # of no meaning; its dimmed form must be recognised


def legend(width: int, selections: Sequence[Selection], *, with_heat: bool = True) -> Image.Image:
    """Swatches with words, for what the selections' panels have; in lines of that width."""
    entries = [(_plain(KEPT), "kept"), (_plain(dimmed(KEPT)), "dropped")]
    if any(selection.padding.any() for selection in selections):
        entries.append((_plain(PADDING), "padding: removed at any budget"))
    if any(selection.tiling.partitions > 1 for selection in selections):
        entries.append((_border(), "border of a tile"))
    if with_heat:
        entries.append((_heat_bar(), HEAT))
    return _lines([_entry(swatch, words) for swatch, words in entries], width)


def _lines(blocks: Sequence[Image.Image], width: int) -> Image.Image:
    lines: list[list[Image.Image]] = [[]]
    for block in blocks:
        if lines[-1] and sum(other.width + GAP for other in lines[-1]) + block.width > width:
            lines.append([])
        lines[-1].append(block)
    page = stack([grid([line], GAP, 0) for line in lines], 8)
    wide = Image.new("RGB", (max(width, page.width), page.height), PAPER)
    wide.paste(page, (0, 0))
    return wide


def _entry(swatch: Image.Image, words: str) -> Image.Image:
    block = Image.new("RGB", (swatch.width + 10 + round(font(BODY).getlength(words)), HEIGHT), PAPER)
    block.paste(swatch, (0, 2))
    ImageDraw.Draw(block).text((swatch.width + 10, HEIGHT // 2), words, INK, font(BODY), anchor="lm")
    return block


def _plain(colour: NDArray[Any]) -> Image.Image:
    return Image.new("RGB", (SWATCH, HEIGHT - 4), tuple(colour.round().astype(int).tolist()))


def _border() -> Image.Image:
    swatch = Image.new("RGB", (SWATCH, HEIGHT - 4), PAPER)
    ImageDraw.Draw(swatch).rectangle((1, 1, SWATCH - 2, HEIGHT - 6), outline=LINE, width=3)
    return swatch


def _heat_bar() -> Image.Image:
    colours = heat_colour(np.linspace(0, 1, BAR))
    return Image.fromarray(np.broadcast_to(colours.round().astype(np.uint8), (HEIGHT - 4, BAR, 3)).copy())
