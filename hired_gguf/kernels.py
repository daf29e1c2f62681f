"""Whether hired-gguf's own CPU kernels are used: the switch, and what the CPU can do."""

from __future__ import annotations

import os

from ._native import core

SWITCH = "HIRED_GGUF_KERNELS"


def kernels_wanted() -> bool:
    """False if the environment has HIRED_GGUF_KERNELS=0: then all is left to ggml."""
    return os.environ.get(SWITCH) != "0"


def kernels_used() -> bool:
    """True if a model that is loaded now would run on them, as far as it runs on the CPU."""
    return kernels_wanted() and core.have_kernels()
