"""Language models as tests load them."""

from __future__ import annotations

import llama_cpp

CONTEXT = 1024  # positions


def load_llama(path, **options):
    """One thread each: waiting threads spin in ggml, which is slow where something else runs too."""
    defaults = {"verbose": False, "n_ctx": CONTEXT, "n_threads": 1, "n_threads_batch": 1}
    return llama_cpp.Llama(str(path), **{**defaults, **options})
