"""Pixel values against Hugging Face's, and the padded square against the plain way to make one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from paths import GOLDEN_FOLDER
from PIL import Image

from hired_gguf.errors import ImageError
from hired_gguf.vision.preprocess import preprocess

GOLDEN = GOLDEN_FOLDER / "hf_tiny"
PINPOINTS = ((56, 112), (112, 56), (112, 112), (168, 56), (56, 168))
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class PlainTiling:
    """What ``preprocess`` reads of a tiling, computed the way Hugging Face does."""

    image_size_hw: tuple[int, int]
    tile: int
    grid: tuple[int, int] = (0, 0)
    canvas_hw: tuple[int, int] = (0, 0)
    fitted_hw: tuple[int, int] = (0, 0)
    offset_yx: tuple[int, int] = (0, 0)
    partitions: int = 1


def plain_tiling(image, pinpoints=PINPOINTS, tile=56):
    H, W = image.height, image.width

    def merit(pinpoint):
        h, w = pinpoint
        scale = min(w / W, h / H)
        effective = min(int(W * scale) * int(H * scale), W * H)
        return effective, effective - h * w

    if not pinpoints:
        return PlainTiling((H, W), tile)
    h, w = max(pinpoints, key=merit)
    narrow = w / W < h / H
    fitted = (min(math.ceil(H * (w / W)), h), w) if narrow else (h, min(math.ceil(W * (h / H)), w))
    grid = (h // tile, w // tile)
    offset = ((h - fitted[0]) // 2, (w - fitted[1]) // 2)
    return PlainTiling((H, W), tile, grid, (h, w), fitted, offset, 1 + grid[0] * grid[1])


def noise(width, height):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_pixel_values_equal_hugging_face(name):
    image = Image.open(GOLDEN / f"{name}.png").convert("RGB")
    with np.load(GOLDEN / f"{name}.npz") as golden:
        expected, size = golden["pixel_values"], tuple(golden["image_size_hw"])
    tiling = plain_tiling(image)
    assert tiling.image_size_hw == size
    got = preprocess(image, tiling, MEAN, STD)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_canvas_is_black_around_the_fitted_image():
    image = Image.new("RGB", (20, 200), "white")
    tiling = plain_tiling(image)
    got = preprocess(image, tiling, (0.0,) * 3, (1.0,) * 3)
    assert tiling.grid == (3, 1)
    top, left = tiling.offset_yx
    height, width = tiling.fitted_hw
    mosaic = got[1:].transpose(1, 0, 2, 3).reshape(3, 168, 56)
    expected = np.zeros((3, 168, 56), np.float32)
    expected[:, top : top + height, left : left + width] = 1
    np.testing.assert_array_equal(mosaic, expected)
    assert (got[0] == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 4000), (4000, 1), (56, 56), (57, 56), (55, 55)])
def test_odd_sizes(size):
    image = noise(*size)
    for pinpoints in (PINPOINTS, ()):
        tiling = plain_tiling(image, pinpoints)
        got = preprocess(image, tiling, MEAN, STD)
        assert got.shape == (tiling.partitions, 3, 56, 56)
        assert np.isfinite(got).all()


@pytest.mark.parametrize(
    "size", [(90, 37), (37, 90), (300, 611), (611, 300), (64, 64), (1, 700), (700, 3), (50, 4001)]
)
def test_padded_square_equals_padding_first(size):
    image = noise(*size)
    side = max(size)
    square = Image.new("RGB", (side, side), tuple(int(x * 255) for x in MEAN))
    square.paste(image, ((side - size[0]) // 2, (side - size[1]) // 2))
    square = np.asarray(square.resize((56, 56), Image.Resampling.BICUBIC), np.float64) / 255
    expected = ((square - MEAN) / STD).transpose(2, 0, 1)
    got = preprocess(image, plain_tiling(image, ()), MEAN, STD)
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=1e-5)


def test_the_image_must_be_the_one_that_was_tiled():
    image = noise(30, 20)
    tiling = plain_tiling(image)
    with pytest.raises(ImageError, match=r"height and width \(20, 30\), got RGB \(30, 20\)"):
        preprocess(image.transpose(Image.Transpose.ROTATE_90), tiling, MEAN, STD)
    with pytest.raises(ImageError, match="got L"):
        preprocess(image.convert("L"), tiling, MEAN, STD)
