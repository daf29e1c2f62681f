"""Which model and which picture the options name."""

from __future__ import annotations

from pathlib import Path

from command_line import COFFEE, SHORT, feed
from golden_pair import MMPROJ, TEXT


def test_ask_reads_a_picture_from_standard_input(run, monkeypatch):
    expected = run("ask", COFFEE, "q", *SHORT)
    feed(monkeypatch, Path(COFFEE).read_bytes())
    assert run("ask", "-", "q", *SHORT) == expected


def test_without_a_model_the_built_in_one_answers_and_says_so(run):
    code, out, err = run("ask", COFFEE, "q", "--max-tokens", "4")
    assert code == 0
    assert out.strip()
    assert err.count("\n") == 1
    assert "built-in miniature" in err
    assert "--model" in err


def test_the_environment_names_the_model(run, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_MODEL", str(TEXT))
    monkeypatch.setenv("HIRED_GGUF_MMPROJ", str(MMPROJ))
    assert run("ask", COFFEE, "q", "--max-tokens", "4") == run("ask", COFFEE, "q", *SHORT)
