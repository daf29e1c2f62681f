"""`fast_cpu`: what a model that is loaded within it uses, by its file's type and this machine."""

from __future__ import annotations

import ctypes
import threading
from types import SimpleNamespace

import llama_cpp
import llama_cpp.llama_cpp as library
import numpy as np
import pytest
from contexts import logits
from gguf_parts import forge_of, split
from golden_pair import MMPROJ, TEXT

import hired_gguf
from hired_gguf import LlavaNext, _core, fast_cpu
from hired_gguf.model_files.gguf_file import weight_type
from hired_gguf.model_files.pair import read_model_parts
from hired_gguf.native import kernels
from hired_gguf.synthetic.synthesize import synthesize
from models import load_llama

#: llama_ftype, all of one type where a width allows it.
TYPES = {"Q4_0": 2, "Q8_0": 7, "Q2_K": 10, "Q4_K": 14, "Q5_K": 16, "Q6_K": 18}


@pytest.fixture(scope="module")
def files(small, tmp_path_factory):
    """A text model in each type, by llama.cpp's own quantizer."""
    folder = tmp_path_factory.mktemp("types")
    made = {}
    for name, number in TYPES.items():
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype, params.nthread = number, 1
        made[name] = folder / f"{name}.gguf"
        paths = str(small[0]).encode(), str(made[name]).encode()
        assert llama_cpp.llama_model_quantize(*paths, ctypes.byref(params)) == 0
    return made


@pytest.fixture
def machine(monkeypatch):
    """Makes this a machine with none of our kernels, and AVX-512 with VNNI unless told otherwise."""

    def make(features=("AVX2", "AVX512", "AVX512_VNNI"), gpu=False, amx=False):
        monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
        monkeypatch.setattr(kernels, "built_features", lambda: list(features))
        monkeypatch.setattr(kernels, "has_amx", lambda: amx)
        monkeypatch.setattr(_core, "list_devices", lambda: [SimpleNamespace(name="CPU", gpu=gpu)])
        monkeypatch.setattr(_core, "can_offer_kernels", lambda: False)

    return make


def repacks(path):
    """Whether a model loaded so has its weights repacked where llama.cpp can."""
    with fast_cpu():
        llama = load_llama(path, n_ctx=64)
    repacked = bool(llama.model_params.use_extra_bufts)
    llama.close()
    return repacked


@pytest.mark.parametrize("kind", TYPES)
def test_two_k_types_are_faster_as_they_lie_in_the_file(machine, files, kind):
    machine()
    assert weight_type(read_model_parts(files[kind])) == kind
    assert repacks(files[kind]) == (kind not in ("Q2_K", "Q4_K"))


@pytest.mark.parametrize(
    "here",
    [{"features": ("AVX2",)}, {"features": ("AVX512",)}, {"gpu": True}, {"amx": True}],
    ids=str,
)
def test_elsewhere_it_is_not(machine, files, here):
    """With AVX2 alone the copy is faster; with a GPU or AMX they are."""
    machine(**here)
    assert repacks(files["Q4_K"])


def test_the_switch_leaves_all_to_llama_cpp(machine, files, monkeypatch):
    machine()
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "0")
    assert repacks(files["Q4_K"])


@pytest.mark.skipif(not kernels.offered_kernels(), reason="needs a CPU of ours, no AMX, no GPU")
@pytest.mark.parametrize("kind", TYPES)
def test_our_kernels_come_first(files, kind, capfd):
    """Also where llama.cpp's copy is switched off: for what they leave to llama.cpp."""
    with fast_cpu():
        ours = load_llama(files[kind], verbose=True)
    said = capfd.readouterr().err
    assert "HIRED model buffer size" in said
    assert kind != "Q4_0" or "CPU_REPACK model buffer size" not in said
    stocks = load_llama(files[kind])
    compare(ours, stocks)


def compare(ours, stocks):
    """The logits of two that have the same weights, which are closed."""
    tokens = np.random.default_rng(0).integers(3, 4000, 60).tolist()
    found = []
    for llama in (ours, stocks):
        llama.eval(tokens)
        found.append(logits(llama))
        llama.close()
    assert np.abs(found[0] - found[1]).max() < 0.1 * found[1].std()


def test_a_split_file(machine, files, tmp_path):
    machine()
    assert not repacks(split(forge_of(files["Q4_K"]), tmp_path, "text", metadata_alone=True)[0])


def test_llava_next_does_it_by_itself(machine, files, small):
    machine()
    with LlavaNext(files["Q4_K"], small[1], n_ctx=256, n_threads=1) as llm:
        assert llm.llama.model_params.use_extra_bufts is False
        assert len(llm.ask(None, "Hello", max_tokens=3).text) > 0


def test_both_ways_give_the_same(machine, files):
    machine()
    with fast_cpu():
        ours = load_llama(files["Q4_K"])
    stocks = load_llama(files["Q4_K"])
    assert (ours.model_params.use_extra_bufts, stocks.model_params.use_extra_bufts) == (False, True)
    compare(ours, stocks)


@pytest.mark.parametrize("path", [MMPROJ, TEXT.parent / "astronaut.png"], ids=["vision", "picture"])
def test_other_files_fail_as_without(machine, path):
    machine()
    with pytest.raises(ValueError, match="Failed to load model from file") as without:
        load_llama(path)
    with fast_cpu(), pytest.raises(ValueError, match="Failed to load model") as within:
        load_llama(path)
    assert str(within.value) == str(without.value)


def test_afterwards_all_is_as_before(machine, files):
    machine()
    load = library.llama_model_load_from_file
    with fast_cpu():
        with fast_cpu():
            pass
        assert not repacks(files["Q4_K"])
    assert library.llama_model_load_from_file is load
    llama = load_llama(files["Q4_K"], n_ctx=64)
    assert llama.model_params.use_extra_bufts
    llama.close()


def test_threads(files):
    """Really offered, by all at once; afterwards nothing is."""
    load, wrong = library.llama_model_load_from_file, []

    def work():
        try:
            for kind in ("Q4_0", "Q4_K"):
                with fast_cpu():
                    load_llama(files[kind], n_ctx=64).close()
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert library.llama_model_load_from_file is load
    assert not any("HIRED" in device.name for device in _core.list_devices())


def test_the_name_is_public():
    assert hired_gguf.fast_cpu is kernels.fast_cpu
    assert "fast_cpu" in hired_gguf.__all__


def test_it_needs_an_open_file_no_more_than_loading_does(machine, tmp_path):
    machine()
    with fast_cpu(), pytest.raises(ValueError, match="Model path does not exist"):
        load_llama(tmp_path / "none.gguf")


def test_the_pair_need_not_be_complete(machine, tmp_path):
    """A damaged header is llama.cpp's to refuse."""
    machine()
    text, _ = synthesize("tiny", tmp_path)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(text.read_bytes()[:2000])
    with fast_cpu(), pytest.raises(ValueError, match="Failed to load model from file"):
        load_llama(cut)
