"""Language models whose matrices are Q4_0, on hired-gguf's own CPU kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from . import amx
from ._native import core
from .kernels import kernels_used

_lock = threading.Lock()


def q4_used() -> bool:
    """True if they would be better than what llama.cpp has here.

    With AMX its own are. With a GPU it sends large batches there, but only by weights in its own memory.
    """
    has_amx = "amx_int8" in amx.cpu_flags() and "AMX_INT8" in amx.built_features()
    return kernels_used() and not has_amx and not any(device.gpu for device in core.list_devices())


@contextmanager
def q4_kernels() -> Iterator[None]:
    """Models that are loaded meanwhile use them, and keep them."""
    if not q4_used():
        yield
        return
    with _lock:
        core.offer_q4_device()
    try:
        yield
    finally:
        with _lock:
            core.withdraw_q4_device()
