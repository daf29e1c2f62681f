"""What a terminal sees: progress while a command runs, and a summary."""

from __future__ import annotations

import subprocess

from command_line import COFFEE, SHORT, Terminal, posix

from hired_gguf.console.terminal import print_summary
from hired_gguf.context.run import Run


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
