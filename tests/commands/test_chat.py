"""`hired-gguf chat`: from a pipe, in a terminal, and what Ctrl-C stops."""

from __future__ import annotations

import shutil
import signal
import subprocess

import pytest
from command_line import COFFEE, PAIR, Terminal, finish, posix, start
from golden_pair import MMPROJ, TEXT

from hired_gguf import LlavaNext
from hired_gguf.cli import main
from hired_gguf.commands import chat as chat_command

# From a pipe


def test_chat_from_a_pipe(chat):
    code, out, err = chat(["What is it?", "", "And now?", "/quit", "never"], COFFEE)
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        talk = llm.chat(max_tokens=4)
        expected = [talk.send("What is it?", COFFEE).text, talk.send("And now?").text]
    assert (code, err) == (0, "")
    assert out == "".join(f"{answer}\n" for answer in expected)


def test_chat_commands(chat):
    lines = [f"/image {COFFEE}", "/budget 20", "What is it?", "/reset", "What is it?", "/help"]
    code, out, err = chat(lines)
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        options = {"max_tokens": 4, "budget": 20}
        expected = [llm.ask(image, "What is it?", **options).text for image in (COFFEE, None)]
    assert (code, err) == (0, "")
    assert out.startswith("".join(f"{answer}\n" for answer in expected))
    assert "/image PATH" in out


def test_chat_goes_on_after_an_error(chat):
    code, out, err = chat(["/image none.png", "/budget x", "/fly", "What is it?"])
    assert code == 1
    assert len(out.splitlines()) == 1
    for text in ("'none.png': no such file", "/budget: 'x' is neither", "no such command: /fly"):
        assert text in err


def test_a_failed_turn_keeps_its_picture(chat):
    code, out, err = chat(["/budget 9999", "q", "/budget 20", "q"], COFFEE)
    assert "9999 tokens exceed" in err
    assert code == 1
    assert out == chat(["/budget 20", "q"], COFFEE)[1]


# A full context


def test_a_full_context_forgets_the_oldest_and_says_so(chat, own_folder):
    lines = [f"Number {number}: " + "what is it? " * 5 for number in range(8)]
    code, out, err = chat(["/budget 8", *lines, "/explain"], COFFEE, "--n-ctx", "700")
    assert code == 0
    assert "the context of 700 tokens (--n-ctx) is full: the oldest question was forgotten" in err
    assert "the latest pictures are still shown" in err
    assert "drawn in overlay-1.png" in out
    assert (own_folder / "overlay-1.png").is_file()


def test_a_message_that_does_not_fit_at_all_is_an_error(chat):
    code, _, err = chat(["What is it?", "x" * 3000, "And now?"], COFFEE, "--n-ctx", "500")
    assert code == 1
    assert "n_ctx" in err


def test_a_line_that_is_only_a_picture_path_adds_it(chat, tmp_path, monkeypatch):
    path = tmp_path / "a (1) photo.PNG"
    shutil.copy(COFFEE, path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = chat([f"/image {COFFEE}", "What is it?"])[1]
    backslashed = str(path).replace(" ", "\\ ").replace("(", "\\(").replace(")", "\\)")
    for line in (str(path), f"'{path}' ", backslashed, path.as_uri(), "~/a (1) photo.PNG"):
        code, out, err = chat([line, "What is it?"])
        assert (code, out) == (0, expected)
        assert err == f"hired-gguf: {line.strip()} is added to your next message, as by /image\n"
        assert chat([f"/image {line}", "What is it?"]) == (0, expected, "")


def test_other_lines_are_messages_or_commands(chat, tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "d.png").mkdir()
    for path in ("none.png", tmp_path / "none.png", tmp_path / "notes.txt", tmp_path / "d.png"):
        _, out, err = chat([str(path)])
        assert "added" not in err
        assert (f"no such command: {path}" in err) == str(path).startswith("/")
        assert bool(out) != str(path).startswith("/")


# Signals and terminals


@posix
def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(endless):
    process = start("chat", COFFEE, *endless, stdin=subprocess.PIPE)
    process.stdin.write(b"q\n")
    process.stdin.flush()
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    process.stdin.write(b"/help\n/quit\n")
    code, out, err = finish(process)
    assert code == 0
    assert b"/image PATH" in out
    assert "stopped; this turn is forgotten" in err


@posix
def test_chat_in_a_terminal(endless):
    with Terminal("chat", COFFEE, *endless) as terminal:
        terminal.read("> ")
        terminal.type("What is it?\n")
        terminal.read("prefill")
        terminal.process.send_signal(signal.SIGINT)
        terminal.read("this turn is forgotten")
        terminal.read("> ")
        terminal.type("/budget x\n")
        terminal.read("'x' is neither a fraction")
        terminal.read("> ")
        terminal.type("/quit\n")
        assert terminal.process.wait(30) == 0


def test_ctrl_c_at_the_prompt_says_how_to_leave_and_ctrl_d_leaves(capsys, monkeypatch):
    def pressed(prompt):
        assert prompt == "> "
        raise next(keys)

    keys = iter([KeyboardInterrupt, EOFError])
    monkeypatch.setattr("builtins.input", pressed)
    chat_command.read_lines(pytest.fail, interactive=True)
    assert "Ctrl-D or /quit leaves" in capsys.readouterr().out


def test_ctrl_c_ends_a_chat_that_reads_a_pipe(monkeypatch):
    def pressed(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", pressed)
    assert main(["chat", *PAIR]) == 130
