"""Pairs that are made on first use and kept: to measure speed."""

from __future__ import annotations

from pathlib import Path

from ..errors import HiredError
from .pair_files import pair_paths
from .synthesize import synthesize


def cached_pair(shape: str, folder: Path, quant: str) -> tuple[Path, Path]:
    """The paths of a pair in ``folder``, which is made if it is not there. Raises HiredError."""
    pair = pair_paths(shape, folder, quant)
    if not all(path.is_file() for path in pair):
        try:
            synthesize(shape, folder, quant)
        except OSError as error:
            raise HiredError(f"cannot make a model with random weights in {folder}: {error}") from error
    return pair
