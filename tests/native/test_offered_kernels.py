"""The kernels that llama.cpp is offered: when, and that models give the same with them."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from types import SimpleNamespace

import gguf
import numpy as np
import pytest

from hired_gguf import LlavaNext, _core
from hired_gguf.native import cpu, kernels
from hired_gguf.synthetic.synthesize import synthesize
from models import load_llama

needs_kernels = pytest.mark.skipif(not kernels.offered_kernels(), reason="needs AVX2, no AMX, no GPU")
LOADED = "HIRED model buffer size"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return synthesize("tiny", tmp_path_factory.mktemp("q4"), "q4_0")


@pytest.fixture
def load(pair):
    """Loads the text model, with the device or without."""
    made = []

    def run(offered, **options):
        with kernels.fast_cpu() if offered else nullcontext():
            made.append(load_llama(pair[0], **options))
        return made[-1]

    yield run
    for llama in made:
        llama.close()


def logits(llama, tokens):
    """Of the last of them, on an empty context."""
    llama.reset()
    llama._ctx.kv_cache_clear()
    llama.eval(tokens)
    return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(llama.n_vocab(),)).copy()


def tokens(count):
    return np.random.default_rng(count).integers(3, 200, count).tolist()


# When


@pytest.fixture
def plain_cpu(monkeypatch):
    monkeypatch.delenv(kernels.KERNELS_VARIABLE, raising=False)
    monkeypatch.setattr(_core, "kernels_here", lambda: ["avx2"])
    monkeypatch.setattr(_core, "list_devices", lambda: [SimpleNamespace(gpu=False)])
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"amx_int8"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX512"])


def test_used_on_a_plain_cpu(plain_cpu):
    assert kernels.offered_kernels()


def test_not_used_if_switched_off(plain_cpu, monkeypatch):
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "0")
    assert not kernels.offered_kernels()


def test_those_that_the_environment_names(plain_cpu, monkeypatch):
    monkeypatch.setattr(_core, "kernels_here", lambda: ["avx512", "avx2"])
    assert kernels.offered_kernels() == "avx512"
    monkeypatch.setenv(kernels.KERNELS_VARIABLE, "avx2")
    assert kernels.offered_kernels() == "avx2"


def test_not_used_where_llama_cpp_lets_nobody_in(plain_cpu, monkeypatch):
    monkeypatch.setattr(_core, "can_offer_kernels", lambda: False)
    assert not kernels.offered_kernels()


def test_not_used_beside_a_gpu(plain_cpu, monkeypatch):
    monkeypatch.setattr(_core, "list_devices", lambda: [SimpleNamespace(gpu=True)])
    assert not kernels.offered_kernels()


def test_not_used_where_llama_cpp_has_amx(plain_cpu, monkeypatch):
    monkeypatch.setattr(cpu, "built_features", lambda: ["AMX_INT8"])
    assert not kernels.offered_kernels()


def test_nothing_is_offered_where_it_is_not_used(plain_cpu, monkeypatch):
    monkeypatch.setattr(_core, "kernels_here", list)
    monkeypatch.setattr(_core, "offer_kernels", None)  # a call would fail
    with kernels.fast_cpu():
        pass


@needs_kernels
def test_offered_while_a_model_is_loaded_and_not_longer():
    def there():
        return "HIRED" in [device.name for device in _core.list_devices()]

    assert not there()
    with kernels.fast_cpu():
        with kernels.fast_cpu():
            assert there()
        assert there()
    assert not there()
    with suppress(ZeroDivisionError), kernels.fast_cpu():
        1 / 0  # noqa: B018
    assert not there()


@needs_kernels
def test_llava_next_uses_it(pair, capfd, monkeypatch):
    for switch in ("1", "0"):
        monkeypatch.setenv(kernels.KERNELS_VARIABLE, switch)
        with LlavaNext(*pair, n_ctx=256, n_threads=1, verbose=True) as llm:
            assert (LOADED in capfd.readouterr().err) == (switch == "1")
            assert len(llm.ask(None, "Hello", max_tokens=5).text) > 0


@needs_kernels
def test_other_models_do_not(load, capfd):
    load(True).close()
    capfd.readouterr()
    load(False, verbose=True)
    assert LOADED not in capfd.readouterr().err


# What


@needs_kernels
@pytest.mark.parametrize("count", [1, 2, 4, 5, 40, 100])
def test_same_logits_as_without(load, count):
    ours, ggmls = (logits(load(offered), tokens(count)) for offered in (True, False))
    assert np.abs(ours - ggmls).max() < 0.05 * ggmls.std()


@needs_kernels
def test_threads_batches_and_mapping_change_nothing(load):
    prompt = tokens(70)
    right = logits(load(True), prompt)
    for options in (
        {"n_threads": 3, "n_threads_batch": 3},
        {"use_mmap": False},
        {"use_mlock": True},
    ):
        np.testing.assert_array_equal(logits(load(True, **options), prompt), right)
    in_pieces = logits(load(True, n_batch=32, n_ubatch=32), prompt)
    assert np.abs(in_pieces - right).max() < 0.05 * right.std()


@needs_kernels
def test_it_answers_as_without(load):
    def answer(llama):
        return [token for token, _ in zip(llama.generate(tokens(20), top_k=1), range(8), strict=False)]

    assert answer(load(True)) == answer(load(False))


@needs_kernels
def test_an_adapter_works(load, pair, tmp_path):
    """Its matrices go where the model's are, and are not Q4_0."""
    path = str(tmp_path / "lora.gguf")
    shapes = {t.name: t.shape.tolist() for t in gguf.GGUFReader(pair[0]).tensors}
    width, rows = shapes["blk.0.attn_q.weight"]
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", random.standard_normal((8, width), dtype=np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", random.standard_normal((rows, 8), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    without = logits(load(True), tokens(40))
    ours, ggmls = (logits(load(offered, lora_path=path), tokens(40)) for offered in (True, False))
    assert np.abs(ours - without).max() > 0.2 * without.std()
    assert np.abs(ours - ggmls).max() < 0.05 * ggmls.std()
