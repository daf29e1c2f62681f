"""What ``hired-gguf doctor`` says of CPU kernels: which serve what here, and what to expect of them."""

from __future__ import annotations

import os
from typing import Any

from ..errors import InputError
from ..native.kernels import KERNELS_VARIABLE, kernels_used, text_kernel
from ..native.load import core

TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q3_K", "Q4_K", "Q5_K", "Q6_K")  # most language models are of these
ENCODER = "encoder"
SOURCE = "measured on a Xeon (docs/performance.md)"
#: Times stock's speed.
EXPECTED = {
    (ENCODER, "avx512"): "a tile 1.7 times as fast as with stock, 3.3 times where the mmproj is Q8_0",
    (ENCODER, "avxvnni"): "a tile 1.6 times as fast as with stock, 3.0 times where the mmproj is Q8_0",
    (ENCODER, "avx2"): "a tile 1.6 times as fast as with stock",
    ("Q4_0", "avx512"): "a prompt 2.9 times as fast as with stock, a token of the answer 1.5 times",
    ("Q4_K", "avx512"): "a prompt 2.5 times as fast as with stock, a token of the answer 1.1 times",
    ("Q5_K", "avx512"): "a prompt 1.7 times as fast as with stock, a token of the answer 1.5 times",
    ("Q6_K", "avx512"): "a prompt 1.6 times as fast as with stock, a token of the answer 1.2 times",
    ("Q8_0", "avx512"): "a prompt 3.7 times as fast as with stock, a token of the answer 1.2 times",
    ("Q4_0", "avx2"): "a prompt 2.4 times as fast as with stock, a token of the answer 1.3 times",
    ("Q4_K", "avx2"): "a prompt 1.9 times as fast as with stock, a token of the answer 1.1 times",
    ("Q5_K", "avx2"): "a prompt 1.8 times as fast as with stock, a token of the answer 1.4 times",
    ("Q6_K", "avx2"): "a prompt 1.5 times as fast as with stock, a token of the answer 1.1 times",
}


def kernel_facts() -> dict[str, Any]:
    """For machines: what can run, what is used, and what serves each type of language model.

    Where the environment names kernels that do not run here, no model is loaded, and none is used.
    """
    try:
        used, serving = kernels_used(), {kind: text_kernel(kind) for kind in TYPES}
    except InputError:
        used, serving = "", dict.fromkeys(TYPES, "ggml")
    return {"run_here": core.kernels_here(), "used": used, "language_model": serving}


def kernel_lines(facts: dict[str, Any]) -> dict[str, str]:
    """The same for people: a line for the encoder, one a type, and one for ours."""
    lines = {"vision encoder": _line(ENCODER, facts["used"] or "ggml")}
    lines |= {f"{kind} model": _line(kind, name) for kind, name in facts["language_model"].items()}
    return {**lines, "hired-gguf's own": _ours(facts["run_here"], facts["used"])}


def _line(what: str, name: str) -> str:
    if name == "ggml":
        return "ggml's, as fast as stock"
    expected = EXPECTED.get((what, name))
    return f"{name}: {expected}, {SOURCE}" if expected else name


def _ours(here: list[str], used: str) -> str:
    if not here:
        return "none for this CPU; they need x86-64 with AVX2"
    if not used:
        return f"not used, since {KERNELS_VARIABLE}={os.environ.get(KERNELS_VARIABLE, '')}"
    others = [name for name in here if name != used]
    return f"{used}; {', '.join(others)} would run here too" if others else used
