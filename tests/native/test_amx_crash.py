"""The guard against llama-cpp-python builds whose AMX code kills the process."""

import subprocess
import sys

import llama_cpp
import pytest

from hired_gguf import HiREDChatHandler, LlavaNext, NativeError
from hired_gguf.native import amx_crash, cpu
from hired_gguf.synthetic.synthesize import synthesize


@pytest.fixture
def quantised_pair(tmp_path):
    return synthesize("tiny", tmp_path, "q8_0")


@pytest.fixture
def amx_cpu(monkeypatch):
    """A CPU and a build with AMX, and nothing remembered."""
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"amx_int8"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AMX_INT8"])
    amx_crash.crash.cache_clear()
    yield
    amx_crash.crash.cache_clear()


def test_flags_are_read_as_linux_writes_them(monkeypatch):
    text = "processor\t: 0\nflags\t\t: fpu amx_int8 avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    monkeypatch.setattr(cpu.Path, "read_text", lambda self, errors: text)
    assert cpu.cpu_flags() == {"fpu", "amx_int8", "avx2"}


def test_the_probe_itself_is_sound(tiny):
    """A mistake in it would end the child with an error, which counts as no crash."""
    done = subprocess.run(
        [sys.executable, "-c", amx_crash._DECODE, str(tiny[0])], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process does not die of a signal there")
def test_a_child_that_dies_is_a_crash(amx_cpu, monkeypatch):
    monkeypatch.setattr(amx_crash, "_DECODE", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert amx_crash.crash() == "SIGSEGV"


def test_a_child_that_decodes_is_none(amx_cpu, monkeypatch):
    monkeypatch.setattr(amx_crash, "_DECODE", "import sys; open(sys.argv[1]).close()")
    assert amx_crash.crash() is None


def test_no_probe_without_amx(monkeypatch):
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(amx_crash.subprocess, "run", None)
    amx_crash.crash.cache_clear()
    assert amx_crash.crash() is None
    amx_crash.crash.cache_clear()


def test_a_quantised_model_is_refused_with_the_remedy(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx_crash, "crash", lambda: "SIGSEGV")
    with pytest.raises(NativeError, match=r"q8_0.gguf is quantised \(Q8_0\).*SIGSEGV(.|\n)*-mno-amx-tile"):
        LlavaNext(*quantised_pair, n_ctx=256)


def test_the_drop_in_handler_refuses_too(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx_crash, "crash", lambda: "SIGSEGV")
    text, mmproj = quantised_pair
    llm = llama_cpp.Llama(str(text), n_ctx=256, verbose=False, chat_handler=HiREDChatHandler(mmproj))
    with pytest.raises(NativeError, match="is quantised"):
        llm.create_chat_completion(messages=[{"role": "user", "content": "Hello"}])
    llm.close()


def test_a_float_model_is_welcome(monkeypatch, quantised_pair):
    monkeypatch.setattr(amx_crash, "crash", lambda: "SIGSEGV")
    LlavaNext(*synthesize("tiny", quantised_pair[0].parent, "f16"), n_ctx=256).close()
