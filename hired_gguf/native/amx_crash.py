"""A trap: llama-cpp-python compiled by GCC 12 on an x86-64 CPU with AMX kills the process.

GCC 12's _tile_loadconfig tells the compiler of 8 of the 64 bytes that the instruction reads, so ggml's AMX
kernels find a zeroed tile configuration. They run when a quantised language model decodes several tokens on
the CPU.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from functools import lru_cache

from ..errors import NativeError
from ..model_files.pair import read_text_model
from .cpu import has_amx, on_gpu
from .load import PIN

REBUILD = f"pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python=={PIN}"
_FLAGS = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
FIX = f'CFLAGS="{_FLAGS}" CXXFLAGS="{_FLAGS}" {REBUILD}\n(or the same without the flags, with a newer GCC)'

# Its own process: it may crash. Tokens 3 to 42 are ordinary ones of the synthesized model.
_DECODE = """
import sys
import llama_cpp
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass
llama = llama_cpp.Llama(sys.argv[1], n_ctx=64, n_batch=64, n_gpu_layers=0, verbose=False)
llama.eval(list(range(3, 43)))
"""


@lru_cache(maxsize=1)
def crash() -> str | None:
    """How a child process that decodes with a small quantised model dies: a signal's name, or None.

    Where there is no AMX, in the CPU or in the build, nothing is tried. Otherwise it takes a second or two.
    Raises OSError where temporary files cannot be written.
    """
    if not has_amx():
        return None
    from ..synthetic.synthesize import synthesize  # noqa: PLC0415  0.1 s, and few machines need it

    with tempfile.TemporaryDirectory() as folder:
        text, _ = synthesize("tiny", folder, "q8_0")
        probe = [sys.executable, "-c", _DECODE, str(text)]
        status = subprocess.run(probe, cwd=folder, capture_output=True, check=False).returncode
    return signal_name(-status) if status < 0 else None


def require_sound_cpu(model: str | os.PathLike[str], n_gpu_layers: int) -> None:
    """Raise NativeError with the remedy where the model's first prompt would kill the process."""
    if on_gpu(n_gpu_layers) or crash() is None:
        return
    kind = read_text_model(model).file_type
    if kind not in ("F32", "F16", "BF16"):
        raise NativeError(
            f"{model} is quantised ({kind}), and this build of llama-cpp-python dies ({crash()}) when such a "
            f"model reads a prompt on this CPU: GCC 12 miscompiles its AMX code. Rebuild it:\n{FIX}"
        )


def signal_name(number: int) -> str:
    """SIGILL for 4, and so on."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
