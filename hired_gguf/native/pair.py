"""Whether a pair of files belongs together and can run here, before anything is loaded."""

from __future__ import annotations

import os

from ..model_files.mmproj import MmprojInfo
from ..model_files.pair import check_pair, read_text_model
from .amx_crash import require_sound_cpu
from .process import require_same_process


def check_pair_runs(model: str | os.PathLike[str], mmproj: MmprojInfo, n_gpu_layers: int) -> None:
    """Raise ModelFormatError, ModelMismatchError or one of their kind, NativeError, ForkError, if not."""
    require_same_process()
    text = read_text_model(model)
    check_pair(mmproj, text.width, model)
    require_sound_cpu(text.path, n_gpu_layers)
