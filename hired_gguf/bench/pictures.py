"""The two pictures of the benchmark, and both engines' copies of them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..images.samples import photograph

SIZES_HW = ((672, 672), (336, 672))  # five partitions of a LLaVA-Next, and three


def default_picture(number: int) -> Image.Image:
    """Picture 1 or 2: noise that is distributed like a photograph's. Always the same pixels."""
    height, width = SIZES_HW[number - 1]
    return photograph(width, height, seed=number)


def write_pictures(folder: Path, pictures: list[Image.Image]) -> list[Path]:
    """Write each as a PNG, which both engines read alike, and return the paths."""
    paths = [folder / f"image-{number}.png" for number in range(1, len(pictures) + 1)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.convert("RGB").save(path)
    return paths
