"""Pictures drawn by rule, the same every time: for checks that need pictures but not their meaning."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

TEXT = "the quick brown fox jumps over a lazy dog while 12 cats and 345 mice look on at 6:78 from behind"


def sample_pictures() -> list[Image.Image]:
    """A landscape like a photograph, a wide drawing and an upright page of text."""
    return [photograph(640, 480), drawing(600, 300), page(480, 640)]


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise with less of it at finer scales, as photographs have, under a light from above."""
    rng = np.random.default_rng(seed)
    total = np.linspace(1.0, 0.0, height)[:, None, None] * np.ones((1, width, 3))
    for octave in range(1, 9):
        cells = rng.random((2**octave, 2**octave, 3), np.float32)
        layers = [Image.fromarray(cells[:, :, colour].copy()) for colour in range(3)]
        wide = [np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC)) for layer in layers]
        total += np.stack(wide, axis=-1) / 1.5**octave
    total = (total - total.min()) / (total.max() - total.min())
    return Image.fromarray((255 * total).astype(np.uint8))


def drawing(width: int, height: int) -> Image.Image:
    """A colour gradient with a few shapes."""
    across = np.linspace(40, 220, width)[None, :] * np.ones((height, 1))
    down = np.linspace(200, 60, height)[:, None] * np.ones((1, width))
    picture = Image.fromarray(np.stack([across, down, 255 - across], axis=-1).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for i in range(6):
        x, y, size = width * (2 * i + 1) // 14, height * (i % 3 + 1) // 5, height // (3 + i % 2)
        box = (x, y, x + size, y + size)
        colour = (40 * i, 255 - 30 * i, 90 + 60 * (i % 3))
        (draw.ellipse if i % 2 else draw.rectangle)(box, fill=colour, outline="black", width=3)
    return picture


def page(width: int, height: int) -> Image.Image:
    """Black words on white."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    words = TEXT.split()
    for line, y in enumerate(range(20, height - 30, 18)):
        chosen = [words[(line * 7 + i * 3) % len(words)] for i in range(5 + line % 4)]
        draw.text((24, y), " ".join(chosen), fill="black")
    return picture
