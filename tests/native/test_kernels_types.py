"""Whole language models in each type that the kernels serve: as near to exact arithmetic as ggml's own."""

from __future__ import annotations

import ctypes
from contextlib import nullcontext
from dataclasses import replace

import llama_cpp
import numpy as np
import pytest

from hired_gguf import _core
from hired_gguf.native import kernels
from hired_gguf.synthetic import shapes
from hired_gguf.synthetic.synthesize import synthesize
from models import load_llama

pytestmark = pytest.mark.skipif(not kernels.offered_kernels(), reason="needs kernels, no AMX, no GPU")

TYPES = {
    "Q3_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q3_K_M,
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q4_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0,
    "Q5_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
}


def convert(source, target, kind):
    """Write a file in another type, by llama.cpp."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = kind, 1, True
    assert (
        llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) == 0
    )
    return target


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A text model whose rows are as long as a K type's block, or longer."""
    tiny = shapes.SHAPES["tiny"]
    wide = replace(tiny, text=replace(tiny.text, width=512, heads=8, feed_forward=768))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shapes.SHAPES, "wide", wide)
        return synthesize("wide", tmp_path_factory.mktemp("wide"), "f16")[0]


@pytest.fixture(scope="module", params=TYPES)
def quantised(request, source, tmp_path_factory):
    """A file of the type, and the same numbers in float32."""
    folder = tmp_path_factory.mktemp(request.param)
    file = convert(source, folder / "quantised.gguf", TYPES[request.param])
    return file, convert(file, folder / "exact.gguf", llama_cpp.LLAMA_FTYPE_ALL_F32)


def logits(path, tokens, offered=False):
    """Of the last of the tokens."""
    with kernels.fast_cpu() if offered else nullcontext():
        llama = load_llama(str(path), n_ctx=256)
    try:
        llama.eval(tokens)
        return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(llama.n_vocab(),)).copy()
    finally:
        llama.close()


@pytest.mark.parametrize("name", _core.kernels_here())
@pytest.mark.parametrize("count", [1, 3, 4, 61])
def test_as_exact_as_ggml(quantised, name, count, monkeypatch):
    tokens = np.random.default_rng(count).integers(3, 200, count).tolist()
    file, exact = quantised
    right = logits(exact, tokens)
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "0")
    ggmls = np.linalg.norm(logits(file, tokens) - right)
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, name)
    ours = np.linalg.norm(logits(file, tokens, offered=True) - right)
    assert ours < 0.03 * np.linalg.norm(right)
    assert ours < 1.3 * ggmls
