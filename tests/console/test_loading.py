"""Which model and which picture the options name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import COFFEE, SHORT, feed
from golden_pair import MMPROJ, TEXT


def test_ask_reads_a_picture_from_standard_input(run, monkeypatch):
    expected = run("ask", COFFEE, "q", *SHORT)
    feed(monkeypatch, Path(COFFEE).read_bytes())
    assert run("ask", "-", "q", *SHORT) == expected


@pytest.mark.parametrize("stream", [None, "a terminal"])
def test_nobody_pipes_a_picture(run, monkeypatch, stream):
    monkeypatch.setattr(sys, "stdin", stream)
    monkeypatch.setattr("hired_gguf.console.loading.is_terminal", lambda stream: stream == "a terminal")
    code, out, err = run("ask", "-", "q", *SHORT)
    assert (code, out) == (2, "")
    assert "'-' reads a picture from standard input, but " in err


def test_without_a_model_the_built_in_one_answers_and_says_so(run):
    code, out, err = run("ask", COFFEE, "q", "--max-tokens", "4", "--threads", "1")
    assert code == 0
    assert out.strip()
    assert err.count("\n") == 1
    assert "built-in miniature" in err
    assert "--model" in err


def test_the_environment_names_the_model(run, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_MODEL", str(TEXT))
    monkeypatch.setenv("HIRED_GGUF_MMPROJ", str(MMPROJ))
    assert run("ask", COFFEE, "q", "--max-tokens", "4", "--threads", "1") == run("ask", COFFEE, "q", *SHORT)
