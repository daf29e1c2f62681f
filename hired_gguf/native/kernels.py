"""Whether hired-gguf's own CPU kernels are used, and what a model that is loaded gets for this CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..errors import InputError, ModelFormatError, shown
from ..model_files.gguf_file import weight_type
from ..model_files.pair import read_model_parts
from .cpu import built_features, has_amx
from .load import core
from .loading import before_loading
from .process import NativeLock

KERNELS_VARIABLE = "HIRED_GGUF_KERNELS"
SLOWER_REPACKED = ("Q2_K", "Q4_K")  # of those that llama.cpp repacks on x86-64

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
    if not core.can_offer_kernels() or _has_faster():
        return ""
    return kernels_used()


def text_kernel(kind: str) -> str:
    """The name of our kernels if matrices of a ggml type, loaded now, would use them, or "ggml"."""
    return (kind in core.quantized_types() and offered_kernels()) or "ggml"


def is_slower_repacked(kind: str) -> bool:
    """Whether llama.cpp alone reads prompts faster with weights of this type as the file has them.

    Its default is a copy in another order. With AVX-512 and VNNI its code for K types beats that copy, with
    AVX2 alone it does not (docs/performance.md).
    """
    return kind in SLOWER_REPACKED and "AVX512_VNNI" in built_features() and not _has_faster()


@contextmanager
def fast_cpu() -> Iterator[None]:
    """While open, models that are loaded use the fastest code that is there for their type, and keep it.

    For a ``llama_cpp.Llama`` of your own; `LlavaNext` does it by itself. Counts for all threads. With a GPU,
    with AMX or with HIRED_GGUF_KERNELS=0 nothing changes. Raises InputError for kernels that do not run here,
    ForkError.
    """
    with ExitStack() as stack:
        if name := offered_kernels():
            with _lock:
                core.offer_kernels(name)
            stack.callback(_withdraw, name)
        if os.environ.get(KERNELS_VARIABLE) != "0":
            stack.enter_context(before_loading(_choose))
        yield


def _withdraw(name: str) -> None:
    with _lock:
        core.withdraw_kernels(name)


def _choose(path: str, params: Any) -> None:
    """Set how llama.cpp stores those weights of a file that our kernels leave to it."""
    try:
        kind = weight_type(read_model_parts(path))
    except (OSError, ModelFormatError):  # for llama.cpp to say
        return
    if is_slower_repacked(kind):
        params.use_extra_bufts = False


def _has_faster() -> bool:
    """Whether llama.cpp has something faster than this CPU's vector units: AMX or a GPU."""
    return has_amx() or any(device.gpu for device in core.list_devices())
