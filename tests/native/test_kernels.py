"""The kernels of cpp/kernels in the vision encoder, beside ggml's own."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from golden_pair import MMPROJ, cosines, photo

from hired_gguf import VisionEncoder, _core
from hired_gguf.model_files.quantize import quantize_mmproj
from hired_gguf.native import cpu, kernels

needs_kernels = pytest.mark.skipif("avx512" not in _core.kernels_here(), reason="needs x86-64 with AVX-512 and VNNI")
FLAGS = {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "fma", "f16c"}


@pytest.fixture
def encode(monkeypatch):
    """Encodes a golden picture by a file, with the kernels or without."""

    def run(mmproj, wanted, n_threads=1, flash_attention="on"):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, "1" if wanted else "0")
        with VisionEncoder(mmproj, n_threads=n_threads, flash_attention=flash_attention) as encoder:
            return encoder.encode(photo("coffee"), (0, 1, 2))

    return run


@pytest.fixture(scope="module", params=["F32", "F16"])
def mmproj(request, tmp_path_factory):
    if request.param == "F32":
        return MMPROJ
    return quantize_mmproj(MMPROJ, tmp_path_factory.mktemp("f16") / "mmproj.gguf", request.param)


def test_the_switch(monkeypatch):
    for value, wanted in (("0", False), ("1", True), ("", True)):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, value)
        assert kernels.kernels_wanted() is wanted
        assert bool(kernels.kernels_used()) is (wanted and bool(_core.kernels_here()))
    monkeypatch.delenv(kernels.KERNELS_VARIABLE)
    assert kernels.kernels_wanted() is True


@pytest.mark.skipif(platform.machine() != "x86_64" or not cpu.cpu_flags(), reason="asks Linux on x86-64")
def test_they_run_only_where_the_cpu_can():
    assert "avx512" not in _core.kernels_here() or cpu.cpu_flags() >= FLAGS


@needs_kernels
@pytest.mark.parametrize("flash_attention", ["on", "off"])
def test_the_encoder_gives_the_same_with_and_without(encode, mmproj, flash_attention):
    ours = encode(mmproj, True, flash_attention=flash_attention)
    ggmls = encode(mmproj, False, flash_attention=flash_attention)
    if mmproj == MMPROJ:  # with float16 weights ggml rounds the other factor too
        np.testing.assert_allclose(ours.projected, ggmls.projected, rtol=1e-4, atol=1e-4)
        for layer in (0, 1, 2):
            np.testing.assert_allclose(ours.attention[layer], ggmls.attention[layer], atol=1e-5)
    assert cosines(ours.projected, ggmls.projected).min() > 0.99999
    assert (ours.projected != ggmls.projected).any()  # else one of them was not asked


@needs_kernels
def test_threads_change_nothing(encode, mmproj):
    alone = encode(mmproj, True)
    for n_threads in (2, 3, 5):
        np.testing.assert_array_equal(encode(mmproj, True, n_threads).projected, alone.projected)


@needs_kernels
def test_types_that_they_do_not_take_are_left_to_ggml(encode, tmp_path):
    mmproj = quantize_mmproj(MMPROJ, tmp_path / "mmproj.gguf", "Q8_0")
    ours, ggmls = encode(mmproj, True, flash_attention="off"), encode(mmproj, False, flash_attention="off")
    assert cosines(ours.projected, ggmls.projected).min() > 0.999
