"""Whether a pair of files belongs together and can run here, before anything is loaded."""

from __future__ import annotations

import os
from functools import lru_cache

from ..model_files.gguf_file import read_gguf
from ..model_files.mmproj import MmprojInfo
from ..model_files.pair import check_pair, read_model_parts, read_text_model
from ..model_files.unfilled import refuse_unfilled
from .amx_crash import require_sound_cpu
from .process import require_same_process


def check_pair_runs(model: str | os.PathLike[str], mmproj: MmprojInfo, n_gpu_layers: int) -> None:
    """Raise ModelFormatError, ModelMismatchError or one of their kind, NativeError, ForkError, if not."""
    require_same_process()
    text = read_text_model(model)
    check_pair(mmproj, text.width, model)
    for part in (*read_model_parts(model), read_gguf(mmproj.path)):
        refuse_unfilled(part)
    require_sound_cpu(text.path, n_gpu_layers)


def require_sound_text(model: str | os.PathLike[str]) -> None:
    """Raise what `read_text_model` raises for a file that someone else has loaded; it is read once.

    llama.cpp loads files that end the process at the first prompt. One that is gone is not looked at.
    """
    try:
        facts = os.stat(model)
    except OSError:
        return
    _read_once(os.fspath(model), facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=16)
def _read_once(model: str, size: int, mtime_ns: int) -> None:
    read_text_model(model)
