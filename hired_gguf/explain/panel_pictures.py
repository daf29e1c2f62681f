"""The picture as the model gets it, at the size of a panel: the full image, and the canvas of the tiles."""

from __future__ import annotations

from PIL import Image

from ..native.load import core

PANEL = 576  # pixels of a panel's longer edge, about: a mosaic's patches are whole pixels
THINNEST = 1 / 3  # a panel's shorter edge, to the longer one
BLACK, GREY = (0, 0, 0), (122, 116, 104)  # LLaVA-Next pads its canvas with black, LLaVA-1.5 with CLIP's mean


def full_picture(picture: Image.Image, tiling: core.Tiling) -> Image.Image:
    """The full image in the picture's own proportions, though the model sees it squashed to a square.

    LLaVA-1.5's is the picture padded to a square.
    """
    width, height = picture.size
    longest = max(width, height)
    if tiling.partitions > 1:
        size = [max(round(PANEL * edge / longest), round(PANEL * THINNEST)) for edge in (width, height)]
        return _resize(picture, (size[0], size[1]))
    fitted = _resize(picture, (_pixels(PANEL * width / longest), _pixels(PANEL * height / longest)))
    panel = Image.new("RGB", (PANEL, PANEL), GREY)
    panel.paste(fitted, ((PANEL - fitted.width) // 2, (PANEL - fitted.height) // 2))
    return panel


def canvas_picture(picture: Image.Image, tiling: core.Tiling) -> Image.Image:
    """The canvas that the tiles are cut from: the fitted picture in its middle, black around it."""
    (rows, columns), side = tiling.grid, tiling.side
    edge = max(2, PANEL // (side * max(rows, columns)))  # of a patch
    scale = edge / tiling.patch
    (height, width), (top, left) = tiling.fitted_hw, tiling.offset_yx
    panel = Image.new("RGB", (columns * side * edge, rows * side * edge), BLACK)
    fitted = _resize(picture, (_pixels(width * scale), _pixels(height * scale)))
    panel.paste(fitted, (round(left * scale), round(top * scale)))
    return panel


def _pixels(length: float) -> int:
    return max(1, round(length))


def _resize(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture.resize(size, Image.Resampling.BICUBIC)
