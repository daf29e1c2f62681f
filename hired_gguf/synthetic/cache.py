"""Pairs that are made on first use and kept: to measure speed."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import HiredError
from ..progress import Progress
from .pair_files import pair_paths, usual_mmproj_quant
from .shapes import shape_of
from .synthesize import write_mmproj, write_text_model


def cached_pair(
    shape: str,
    folder: Path,
    quant: str,
    layers: int | None = None,
    on_progress: Progress | None = None,
) -> tuple[Path, Path]:
    """The paths of a pair in ``folder``, of which what is not there is made; see `synthesize`.

    Text models cut to fewer layers share one mmproj. Raises HiredError.
    """
    model, (text, mmproj) = shape_of(shape, layers), pair_paths(shape, folder, quant, layers=layers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.path.isfile(text):
            write_text_model(text, shape, model, quant, on_progress=on_progress)
        if not os.path.isfile(mmproj):
            write_mmproj(mmproj, shape, model, usual_mmproj_quant(quant), on_progress=on_progress)
    except OSError as error:
        raise HiredError(
            f"cannot make a model with random weights in {folder}: {error.strerror or error}; "
            "set HIRED_GGUF_CACHE to another folder"
        ) from error
    return text, mmproj
