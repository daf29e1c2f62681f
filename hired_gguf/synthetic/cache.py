"""Pairs that are made on first use and kept: to measure speed."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import HiredError
from .pair_files import pair_paths
from .synthesize import synthesize


def cached_pair(shape: str, folder: Path, quant: str) -> tuple[Path, Path]:
    """The paths of a pair in ``folder``, which is made if it is not there. Raises HiredError."""
    pair = pair_paths(shape, folder, quant)
    if not all(os.path.isfile(path) for path in pair):
        try:
            synthesize(shape, folder, quant)
        except OSError as error:
            raise HiredError(
                f"cannot make a model with random weights in {folder}: {error.strerror or error}; "
                "set HIRED_GGUF_CACHE to another folder"
            ) from error
    return pair
