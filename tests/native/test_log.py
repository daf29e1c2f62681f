"""Where llama.cpp's log goes, and that it is given back."""

from __future__ import annotations

import llama_cpp
from command_line import COFFEE, SHORT

from hired_gguf.native.log import NativeLog


def test_verbose_shows_the_log_of_llama_cpp(run):
    assert "llama_model_loader" in run("ask", COFFEE, "q", *SHORT, "-v")[2]
    assert run("ask", COFFEE, "q", *SHORT, "--n-ctx", "8192")[2] == ""  # which llama.cpp warns of


def test_the_first_error_counts():
    with NativeLog() as log:
        log.hear(2, b"a hint\n", None)
        log.hear(4, b"first\n", None)
        log.hear(4, b"second\n", None)
    assert log.first_error == "first"


def test_the_log_is_given_back():
    log, options = NativeLog(), llama_cpp.llama_model_default_params()
    with log:
        assert not llama_cpp.llama_model_load_from_file(b"first.gguf", options)
    assert "first.gguf" in log.first_error
    log.first_error = ""
    assert not llama_cpp.llama_model_load_from_file(b"second.gguf", options)
    assert log.first_error == ""
