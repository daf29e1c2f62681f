"""What stands behind the things in a scene, and what a camera does to it all."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter


def background(
    rng: random.Random, photographs: tuple[Image.Image, ...], size_wh: tuple[int, int]
) -> Image.Image:
    """A crop of a photograph, or now and then a sheet of paper with ruled lines."""
    if rng.random() < 0.2:
        return _paper(rng, size_wh)
    photograph = rng.choice(photographs)
    scale = rng.uniform(0.4, 1) * min(p / s for p, s in zip(photograph.size, size_wh, strict=True))
    width, height = (side * scale for side in size_wh)
    left, top = rng.uniform(0, photograph.width - width), rng.uniform(0, photograph.height - height)
    crop = photograph.resize(size_wh, Image.Resampling.BILINEAR, (left, top, left + width, top + height))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(crop).enhance(rng.uniform(0.6, 1.2))


def _paper(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    light = rng.randint(205, 250)
    sheet = Image.new("RGB", size_wh, (light, light - rng.randint(0, 8), light - rng.randint(0, 25)))
    pen, gap = ImageDraw.Draw(sheet), rng.randint(14, 40)
    for y in range(rng.randint(0, gap), size_wh[1], gap):
        pen.line((0, y, size_wh[0], y), (light - 35,) * 3)
    return sheet


def camera(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Some blur, noise, contrast, and usually JPEG."""
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.8, 1.15))
    if rng.random() < 0.5:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(
            0, rng.uniform(2, 9), (picture.height, picture.width, 1)
        )
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    if rng.random() < 0.7:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=rng.randint(65, 95))
        picture = Image.open(buffer).convert("RGB")
    return picture
