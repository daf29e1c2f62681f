"""Loads llama_cpp, then _core, in that order, and only if they belong together. Hands out ``core``.

_core asks for libllama and libggml by their SONAMEs. They must be in the process already, or the loader would
map second copies of them, and contexts could not cross. They bring libgomp, for which the environment is
prepared (`waiting`).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from . import waiting

__all__ = ["PIN", "VERSION", "core"]

PIN = "0.3.36"
VERSION = version("hired-gguf")

try:
    with waiting.prepared():
        import llama_cpp
except ImportError as error:
    raise ImportError(
        f"hired-gguf needs llama-cpp-python {PIN}, which does not import: {error}. "
        f"Run: pip install llama-cpp-python=={PIN}"
    ) from error

if llama_cpp.__version__ != PIN:
    raise ImportError(
        f"hired-gguf is built for llama-cpp-python {PIN}, but {llama_cpp.__version__} is installed. "
        f"Run: pip install llama-cpp-python=={PIN}"
    )

try:
    from .. import _core as core
except ImportError as error:
    raise ImportError(
        f"no compiled hired_gguf._core in {Path(__file__).parents[1]} ({error}). Is that a source checkout? "
        "Start Python in another folder to use the installed package, or install it: pip install -e ."
    ) from error

if core.LLAMA_CPP_PYTHON != PIN:
    raise ImportError(
        f"_core was compiled for llama-cpp-python {core.LLAMA_CPP_PYTHON}, this package for {PIN}. "
        "Run: pip install --force-reinstall --no-deps hired-gguf"
    )
