"""Whether hired-gguf's own CPU kernels are used, and their offer to llama.cpp while a model loads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError, shown
from .cpu import has_amx
from .load import core
from .process import NativeLock

KERNELS_VARIABLE = "HIRED_GGUF_KERNELS"

_lock = NativeLock()


def kernels_used() -> str:
    """The name of our kernels that the CPU part of a model loaded now would use; empty if none.

    They are those that the environment names in HIRED_GGUF_KERNELS: 0 leaves all to ggml; without a name, or
    with 1, they are the fastest that run here. Raises InputError for a name of none that run here.
    """
    here, asked = core.kernels_here(), os.environ.get(KERNELS_VARIABLE, "")
    if asked in ("", "1"):
        return next(iter(here), "")
    if asked not in ("0", *here):
        allowed = ", ".join([*here, "0 (ggml's)"])
        raise InputError(f"{KERNELS_VARIABLE} is {shown(asked)}; allowed on this machine: {allowed}")
    return asked if asked != "0" else ""


def offered_kernels() -> str:
    """The name of our kernels that a language model loaded now would use; empty if none.

    None on CPUs with AMX, where llama.cpp's kernels are faster; none with a GPU, because llama.cpp moves
    large batches to it only if the weights lie in its own buffers.
    """
    if not core.can_offer_kernels() or has_amx() or any(device.gpu for device in core.list_devices()):
        return ""
    return kernels_used()


def text_kernel(kind: str) -> str:
    """The name of our kernels if matrices of a ggml type, loaded now, would use them, or "ggml"."""
    return (kind in core.quantized_types() and offered_kernels()) or "ggml"


@contextmanager
def offering_kernels() -> Iterator[None]:
    """Offer our kernels to llama.cpp: models loaded meanwhile use them, and keep them."""
    name = offered_kernels()
    if not name:
        yield
        return
    with _lock:
        core.offer_kernels(name)
    try:
        yield
    finally:
        with _lock:
            core.withdraw_kernels(name)
