"""A picture to the pixel values that the vision encoder expects, as Hugging Face's PIL processors do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ImageError
from ..native.load import core

_BAND = 256  # rows widened to the square at a time


def preprocess(
    image: Image.Image, tiling: core.Tiling, mean: Sequence[float], std: Sequence[float]
) -> npt.NDArray[np.float32]:
    """The partitions of an RGB image as [P, 3, S, S]: the full image, then the tiles in raster order.

    With a grid (LLaVA-Next), partition 0 is the whole image squashed to S x S, and the tiles cut the canvas
    with the fitted image in its middle and black around it. Without one (LLaVA-1.5), the only partition is
    the image padded to a square in the mean colour. Resizing is bicubic on 8 bits; ``mean`` and ``std`` hold
    one number per channel, for values 0..1.

    Raises ImageError if the image is not RGB or not of the size that ``tiling`` was made for.
    """
    if image.mode != "RGB" or (image.height, image.width) != tuple(tiling.image_size_hw):
        wanted = f"an RGB image of height and width {tuple(tiling.image_size_hw)}"
        raise ImageError(f"expected {wanted}, got {image.mode} {(image.height, image.width)}")
    S = tiling.tile
    values = _normalised(mean, std)
    out = np.empty((tiling.partitions, 3, S, S), np.float32)
    if tiling.partitions == 1:
        _fill(out[0], np.asarray(_padded_square(image, S, mean)), values)
        return out
    _fill(out[0], np.asarray(_resize(image, (S, S))), values)
    canvas = _canvas(image, tiling)
    columns = tiling.grid[1]
    for i in range(tiling.partitions - 1):
        top, left = i // columns * S, i % columns * S
        _fill(out[1 + i], canvas[top : top + S, left : left + S], values)
    return out


def _resize(image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    return image.resize(size_wh, Image.Resampling.BICUBIC)


def _canvas(image: Image.Image, tiling: core.Tiling) -> npt.NDArray[np.uint8]:
    (height, width), (top, left) = tiling.fitted_hw, tiling.offset_yx
    canvas = np.zeros((*tiling.canvas_hw, 3), np.uint8)
    canvas[top : top + height, left : left + width] = np.asarray(_resize(image, (width, height)))
    return canvas


def _padded_square(image: Image.Image, S: int, mean: Sequence[float]) -> Image.Image:
    """Pad to a square and resize, without ever holding the square.

    Bicubic resizing treats the rows first, one by one, so it can be done in bands with the same result.
    """
    width, height = image.size
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    colour = tuple(int(x * 255) for x in mean)
    narrow = Image.new("RGB", (S, side), colour)
    for y in range(0, height, _BAND):
        rows = min(_BAND, height - y)
        band = Image.new("RGB", (side, rows), colour)
        band.paste(image.crop((0, y, width, y + rows)), (left, 0))
        narrow.paste(_resize(band, (S, rows)), (0, top + y))
    return _resize(narrow, (S, S))


def _normalised(mean: Sequence[float], std: Sequence[float]) -> npt.NDArray[np.float32]:
    """What each of the 256 pixel values becomes, as [3, 256]."""
    scaled = (np.arange(256) / 255).astype(np.float32)
    centres, widths = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    return (scaled - centres[:, None]) / widths[:, None]


def _fill(
    out: npt.NDArray[np.float32], pixels: npt.NDArray[np.uint8], values: npt.NDArray[np.float32]
) -> None:
    for channel in range(3):
        np.take(values[channel], pixels[..., channel], out=out[channel], mode="clip")
