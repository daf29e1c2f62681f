"""What tests of several commands share."""

from __future__ import annotations

import pytest
from command_line import SHORT, feed


@pytest.fixture
def endless(tiny):
    """Options for an answer that does not stop by itself."""
    pair = ("--model", str(tiny[0]), "--mmproj", str(tiny[1]), "--threads", "1")
    return (*pair, "--max-tokens", "30000", "--n-ctx", "32768")


@pytest.fixture
def chat(run, monkeypatch):
    """A whole conversation from a pipe; what `run` gives."""

    def talk(lines, *argv):
        feed(monkeypatch, "\n".join(lines).encode())
        return run("chat", *argv, *SHORT)

    return talk
