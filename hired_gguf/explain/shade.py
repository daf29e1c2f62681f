"""Patches made visible: kept ones bright among dimmed ones, and attention in colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .raster import to_pixels

DIMMED = 0.2  # how much of its brightness a dropped patch keeps
NIGHT = np.array((24, 30, 72))  # and what it gets instead, so that it differs from what is dark by itself
EDGE = np.array((240, 228, 180))  # a line around what is kept, on the dropped side
PADDING = np.array((216, 214, 208))
SCALE = np.array(((6, 4, 40), (84, 15, 109), (187, 55, 84), (249, 142, 9), (252, 255, 164)))
GREY_SHARE = 0.3  # of the picture under the colours
BRIGHTEST = 99  # percentile of the attention that gets the last colour: a few patches have most of it


def kept_patches(base: Image.Image, kept: NDArray[np.bool_], padding: NDArray[np.bool_]) -> Image.Image:
    """The picture ``base`` where ``kept`` [rows, columns], dimmed where not, blank where ``padding``."""
    pixels = np.asarray(base, np.float64)
    stays = to_pixels(kept, base.size)
    others = _blank(dimmed(pixels), padding, base.size)
    others = np.where(_around(stays)[..., None], EDGE, others)
    return _image(np.where(stays[..., None], pixels, others))


def dimmed(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels [..., 3] as those of a dropped patch."""
    return DIMMED * _grey(pixels) + (1 - DIMMED) * NIGHT


def heat(base: Image.Image, strength: NDArray[np.float64], padding: NDArray[np.bool_]) -> Image.Image:
    """``strength`` 0..1 [rows, columns] in colours over a grey ``base``, blank where ``padding``."""
    colours = heat_colour(to_pixels(strength, base.size))
    mixed = GREY_SHARE * _grey(np.asarray(base, np.float64)) + (1 - GREY_SHARE) * colours
    return _image(_blank(mixed, padding, base.size))


def heat_colour(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1 to colours [..., 3]."""
    places = np.linspace(0, 1, len(SCALE))
    return np.stack([np.interp(strength, places, SCALE[:, channel]) for channel in range(3)], axis=-1)


def strengths(attention: NDArray[np.float64], padding: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Attention [P, N] to 0..1 by its square root, each partition by itself, padding left out."""
    out = np.zeros_like(attention)
    for row, values, without in zip(out, attention, padding, strict=True):
        seen = values[~without]
        top = np.percentile(seen, BRIGHTEST) if seen.size else 0.0
        if top > 0:
            row[:] = np.sqrt(np.clip(values / top, 0, 1))
    return out


def _around(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``there`` [height, width], a pixel wider to each side."""
    wide = there.copy()
    wide[1:] |= there[:-1]
    wide[:-1] |= there[1:]
    wide[:, 1:] |= there[:, :-1]
    wide[:, :-1] |= there[:, 1:]
    return wide


def _grey(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return (pixels @ (0.299, 0.587, 0.114))[..., None]


def _blank(
    pixels: NDArray[np.float64], padding: NDArray[np.bool_], size: tuple[int, int]
) -> NDArray[np.float64]:
    return np.where(to_pixels(padding, size)[..., None], PADDING, pixels)


def _image(pixels: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(pixels.round().astype(np.uint8))
