"""The guard against llama-cpp-python builds whose AMX code kills the process."""

import sys

import llama_cpp
import pytest
from synthesize import synthesize

from hired_gguf import HiREDChatHandler, LlavaNext, NativeError, amx


@pytest.fixture
def quantised_pair(tmp_path):
    return synthesize("tiny", tmp_path, "q8_0")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo")
def test_a_child_dies_only_where_there_is_amx():
    amx.crash.cache_clear()
    if amx.crash() is not None:
        assert {"amx_int8"} <= amx.cpu_flags()
        assert "AMX_INT8" in amx.built_features()
    assert amx.cpu_flags()


def test_no_probe_without_amx(monkeypatch):
    monkeypatch.setattr(amx, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(amx.subprocess, "run", None)
    amx.crash.cache_clear()
    assert amx.crash() is None
    amx.crash.cache_clear()


def test_a_quantised_model_is_refused_with_the_remedy(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx, "crash", lambda: "SIGSEGV")
    with pytest.raises(NativeError, match=r"q8_0.gguf is quantised \(Q8_0\).*SIGSEGV(.|\n)*-mno-amx-tile"):
        LlavaNext(*quantised_pair, n_ctx=256)


def test_the_drop_in_handler_refuses_too(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx, "crash", lambda: "SIGSEGV")
    text, mmproj = quantised_pair
    llm = llama_cpp.Llama(str(text), n_ctx=256, verbose=False, chat_handler=HiREDChatHandler(mmproj))
    with pytest.raises(NativeError, match="is quantised"):
        llm.create_chat_completion(messages=[{"role": "user", "content": "Hello"}])
    llm.close()


def test_a_float_model_is_welcome(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx, "crash", lambda: "SIGSEGV")
    LlavaNext(*synthesize("tiny", quantised_pair[0].parent, "f16"), n_ctx=256).close()
