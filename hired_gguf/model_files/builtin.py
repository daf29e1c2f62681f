"""The model that is used where none is given: a LLaVA-Next in miniature, shipped with the package."""

from __future__ import annotations

from pathlib import Path

from ..errors import HiredError

NAMES = ("text-hired-mini-f16.gguf", "mmproj-hired-mini-f16.gguf")


def default_model() -> tuple[Path, Path]:
    """The paths of the built-in text model and its mmproj; models/README.md says what it can do.

    Raises HiredError if the installation lacks them.
    """
    here = Path(__file__).parents[1]
    for folder in (here / "models", here.parent / "models"):  # installed; a source checkout
        pair = folder / NAMES[0], folder / NAMES[1]
        if all(path.is_file() for path in pair):
            return pair
    raise HiredError(f"{here / 'models' / NAMES[0]} is missing: reinstall hired-gguf")
