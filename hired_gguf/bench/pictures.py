"""The two pictures of the benchmark, and both engines' copies of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES_HW = ((672, 672), (336, 672))  # five partitions of a LLaVA-Next, and three


def default_picture(number: int) -> Image.Image:
    """Picture 1 or 2: made-up clouds with a photograph's 1/f spectrum. Always the same pixels."""
    height, width = SIZES_HW[number - 1]
    rng = np.random.default_rng(number)
    total = np.zeros((height, width, 3))
    for cells in (2, 4, 8, 16, 32, 64, 128):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        total += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), float) / cells
    total -= total.min()
    return Image.fromarray((total * (255 / total.max())).astype(np.uint8))


def write_pictures(folder: Path, pictures: list[Image.Image]) -> list[Path]:
    """Write each as a PNG, which both engines read alike, and return the paths."""
    paths = [folder / f"image-{number}.png" for number in range(1, len(pictures) + 1)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.convert("RGB").save(path)
    return paths
