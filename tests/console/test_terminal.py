"""What a terminal sees: progress while a command runs, and a summary."""

from __future__ import annotations

import subprocess

import pytest
from command_line import COFFEE, SHORT, Terminal, posix

from hired_gguf.console.terminal import duration, print_summary, printable
from hired_gguf.context.run import Run


def test_what_would_steer_a_terminal_is_not_printable():
    assert printable("a\x1b[2J\tb\r\nc\N{ZERO WIDTH SPACE}") == "a?[2J b  c?"
    assert printable("Grüße, 猫") == "Grüße, 猫"


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "1 s"), (8.4, "8 s"), (99, "99 s"), (754, "13 min"), (11_100, "3 h 05 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@posix
def test_a_terminal_sees_progress_and_a_summary():
    with Terminal("ask", COFFEE, "q", *SHORT) as terminal:
        seen = terminal.read()
        assert terminal.process.wait(30) == 0
    stages = ("loading text-f32.gguf", "encoding image 1 of 1", "prefill 0 of ", "12 of 66 visual tokens")
    places = [seen.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "first token after" in seen
    assert "tokens/s" in seen


def test_the_summary_tells_what_was_there_already(monkeypatch, capsys):
    monkeypatch.setattr("hired_gguf.console.terminal.is_terminal", lambda stream: True)
    for reused in (0, 20):
        print_summary(Run(prompt_tokens=30, reused_tokens=reused))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "[first token after 0.0 s]"
    assert second == "[20 of 30 prompt tokens from before, first token after 0.0 s]"


@posix
def test_progress_stays_out_of_the_answer():
    with Terminal("ask", COFFEE, "q", *SHORT, stdout=subprocess.PIPE) as terminal:
        shown = terminal.read()
        out = terminal.process.stdout.read()
    assert "encoding image" in shown
    assert b"encoding image" not in out
    assert out.strip()
