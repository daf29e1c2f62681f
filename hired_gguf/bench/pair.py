"""The pair that is measured: given, or of random weights, which are as fast as real ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import HiredError, NativeError
from ..files import user_folder
from ..native import amx_crash
from ..native.cpu import on_gpu
from ..native.load import VERSION
from ..synthetic.cache import cached_pair
from ..synthetic.pair_files import pair_paths

SIZES = {"small": (75, "a few seconds"), "llava-next-7b": (4500, "about a minute")}  # megabytes


def stand_in(quick: bool, gpu_layers: int, say: Callable[[str], None]) -> tuple[Path, Path]:
    """The 7B shape, or the small one, in the user's cache folder; made on first use, with a message.

    Raises HiredError, OSError.
    """
    shape, quant = ("small", "f16") if quick else ("llava-next-7b", "q4_0")
    if not quick:
        _require_quantised(gpu_layers)
    folder = user_folder("cache") / VERSION
    if not all(os.path.isfile(path) for path in pair_paths(shape, folder, quant)):
        megabytes, minutes = SIZES[shape]
        _require_space(folder, megabytes * 10**6)
        say(f"making a pair with random weights, {megabytes} MB, in {folder}: {minutes}")
    return cached_pair(shape, folder, quant)


def _require_quantised(gpu_layers: int) -> None:
    """Raise NativeError if the stand-in, gigabytes of weights, could not run here."""
    if not on_gpu(gpu_layers) and (died := amx_crash.crash()):
        raise NativeError(
            f"the 7B stand-in is quantised, and this build of llama-cpp-python dies ({died}) when such a "
            f"model reads a prompt on this CPU. --quick works. Or rebuild it:\n{amx_crash.FIX}"
        )


def _require_space(folder: Path, needed: int) -> None:
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free
    if free < needed * 1.1:
        raise HiredError(
            f"{there} has {free / 1e9:.1f} GB free and the stand-in model needs {needed / 1e9:.1f}: set "
            "HIRED_GGUF_CACHE to another folder, or give --model and --mmproj"
        )
