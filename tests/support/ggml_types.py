"""Weights packed by the installed ggml itself, in any type that it writes."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import gguf
import llama_cpp
import numpy as np


@cache
def ggml():
    folder = Path(llama_cpp.__file__).parent / "lib"
    library = ctypes.CDLL(str(next(folder.glob("*ggml-base*"))))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = (
        *(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    )
    return library


def pack(values, kind):
    """float32 [rows, width] as bytes of [rows, bytes a row]."""
    values = np.ascontiguousarray(values, np.float32)
    kind = gguf.GGMLQuantizationType[kind]
    if kind == gguf.GGMLQuantizationType.F32:
        return values
    if kind in (gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16):
        return gguf.quants.quantize(values, kind)
    rows, width = values.shape
    block, nbytes = gguf.GGML_QUANT_SIZES[kind]
    out = np.empty((rows, width // block * nbytes), np.uint8)
    written = ggml().ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, rows, width, None)
    assert written == out.nbytes
    return out
