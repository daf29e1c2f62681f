"""Room for models that are made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..errors import HiredError


def require_space(folder: Path, needed: int) -> None:
    """Raise HiredError if the disk of a folder, which may not be there yet, lacks so many bytes."""
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free
    if free < needed * 1.1:
        raise HiredError(
            f"{there} has {free / 1e9:.1f} GB free and the stand-in model needs {needed / 1e9:.1f}: set "
            "HIRED_GGUF_CACHE to another folder, or give --model and --mmproj"
        )
