"""The kernels of cpp/kernels in the vision encoder, beside ggml's own."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from golden_pair import MMPROJ, TEXT, cosines, photo

from hired_gguf import InputError, LlavaNext, VisionEncoder, _core
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.quantize import quantize_mmproj
from hired_gguf.native import cpu, kernels
from hired_gguf.vision.cache import encoder_identity

HERE = _core.kernels_here()
needs_kernels = pytest.mark.skipif(not HERE, reason="needs x86-64 with AVX2")
AVX2 = {"avx2", "fma", "f16c"}
FLAGS = {
    "avx512": {*AVX2, "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
    "avxvnni": {*AVX2, "avx_vnni"},
    "avx2": AVX2,
}


@pytest.fixture
def encode(monkeypatch):
    """Encodes a golden picture by a file, with the kernels of a name ("0": with ggml's)."""

    def run(mmproj, name, n_threads=1, flash_attention="on"):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, name)
        with VisionEncoder(mmproj, n_threads=n_threads, flash_attention=flash_attention) as encoder:
            return encoder.encode(photo("coffee"), (0, 1, 2))

    return run


@pytest.fixture(scope="module", params=["F32", "F16"])
def mmproj(request, tmp_path_factory):
    if request.param == "F32":
        return MMPROJ
    return quantize_mmproj(MMPROJ, tmp_path_factory.mktemp("f16") / "mmproj.gguf", request.param)


@pytest.fixture(params=HERE)
def name(request):
    return request.param


@pytest.mark.parametrize(
    ("asked", "used"), [("", "avx512"), ("1", "avx512"), ("avx512", "avx512"), ("avx2", "avx2"), ("0", "")]
)
def test_the_variable(monkeypatch, asked, used):
    monkeypatch.setattr(_core, "kernels_here", lambda: ["avx512", "avx2"])
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, asked)
    assert kernels.kernels_used() == used


def test_without_the_variable_the_fastest_are_used(monkeypatch):
    monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
    assert kernels.kernels_used() == next(iter(HERE), "")


@pytest.mark.parametrize("asked", ["avx3", "AVX2", "avxvnni", "true"])
def test_a_name_that_does_not_run_here_is_rejected(monkeypatch, asked):
    monkeypatch.setattr(_core, "kernels_here", lambda: ["avx512", "avx2"])
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, asked)
    expected = f"HIRED_GGUF_KERNELS is '{asked}'; allowed on this machine: avx512, avx2, 0 (ggml's)"
    for use in (kernels.kernels_used, lambda: VisionEncoder(MMPROJ), lambda: LlavaNext(TEXT, MMPROJ)):
        with pytest.raises(InputError, match=re.escape(expected)):
            use()


def test_the_engine_rejects_a_name_too():
    with pytest.raises(InputError, match=re.escape("[vision] no kernels 'avx3' run here")):
        _core.VisionModel(str(MMPROJ), kernels="avx3")


def test_encodings_of_other_kernels_have_another_identity(monkeypatch):
    identities = set()
    for asked in ("0", *HERE):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, asked)
        identities.add(encoder_identity(read_mmproj(MMPROJ), "cpu", "auto"))
    assert len(identities) == 1 + len(HERE)


@pytest.mark.skipif(platform.machine() != "x86_64" or not cpu.cpu_flags(), reason="asks Linux on x86-64")
def test_they_run_only_where_the_cpu_can(name):
    assert cpu.cpu_flags() >= FLAGS[name]


@needs_kernels
@pytest.mark.parametrize("flash_attention", ["on", "off"])
def test_the_encoder_gives_the_same_with_and_without(encode, mmproj, name, flash_attention):
    ours = encode(mmproj, name, flash_attention=flash_attention)
    ggmls = encode(mmproj, "0", flash_attention=flash_attention)
    if mmproj == MMPROJ:  # with float16 weights ggml rounds the other factor too
        np.testing.assert_allclose(ours.projected, ggmls.projected, rtol=1e-4, atol=1e-4)
        for layer in (0, 1, 2):
            np.testing.assert_allclose(ours.attention[layer], ggmls.attention[layer], atol=1e-5)
    assert cosines(ours.projected, ggmls.projected).min() > 0.99999
    assert (ours.projected != ggmls.projected).any()  # else one of them was not asked


@needs_kernels
def test_threads_change_nothing(encode, mmproj, name):
    alone = encode(mmproj, name)
    for n_threads in (2, 3, 5):
        np.testing.assert_array_equal(encode(mmproj, name, n_threads).projected, alone.projected)


@needs_kernels
def test_types_that_they_do_not_take_are_left_to_ggml(encode, name, tmp_path):
    mmproj = quantize_mmproj(MMPROJ, tmp_path / "mmproj.gguf", "Q8_0")
    ours, ggmls = (encode(mmproj, who, flash_attention="off") for who in (name, "0"))
    assert cosines(ours.projected, ggmls.projected).min() > 0.999
