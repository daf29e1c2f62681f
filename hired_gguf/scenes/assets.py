"""Photographs and fonts of other packages: those that training may see, and those kept for evaluation."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from PIL import Image

from ..errors import HiredError

SPLITS = ("train", "held-out")
# All public domain or CC0, from scikit-image's wheel.
PHOTOGRAPHS = {
    "train": ("astronaut.png", "coffee.png", "hubble_deep_field.jpg", "brick.png", "grass.png", "camera.png"),
    "held-out": ("chelsea.png", "rocket.jpg", "gravel.png", "retina.jpg"),
}
# (package, path within it without the file's name, files): under the SIL Open Font Licence or freer.
MATPLOTLIB, FILES = "mpl-data/fonts/ttf", "files"
FONTS = {
    "train": (
        (
            "matplotlib",
            MATPLOTLIB,
            "DejaVuSans DejaVuSans-Bold DejaVuSerif DejaVuSansMono-Bold STIXGeneralBol",
        ),
        ("font_roboto", FILES, "Roboto-Regular Roboto-Medium Roboto-Bold Roboto-Italic"),
        ("font_source_sans_pro", FILES, "SourceSansPro-Regular SourceSansPro-Semibold SourceSansPro-Bold"),
        ("font_caladea", FILES, "Caladea-Regular Caladea-Bold"),
    ),
    "held-out": (
        ("font_manrope", FILES, "Manrope-Medium Manrope-Bold"),
        ("font_source_serif_pro", FILES, "SourceSerifPro-Regular SourceSerifPro-Semibold"),
    ),
}


@cache
def photographs(split: str) -> tuple[Image.Image, ...]:
    """The split's photographs, RGB. Raises HiredError if scikit-image is missing."""
    folder = _package("skimage") / "data"
    return tuple(Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS[split])


@cache
def fonts(split: str) -> tuple[Path, ...]:
    """Font files of the split. Raises HiredError if a package is missing."""
    return tuple(
        _package(package) / folder / f"{name}.ttf"
        for package, folder, names in FONTS[split]
        for name in names.split()
    )


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise HiredError(
            f"drawn pictures need the Python package {name}, which is missing: pip install 'hired-gguf[eval]'"
        )
    return Path(spec.submodule_search_locations[0])
