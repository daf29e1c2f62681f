"""`hired-gguf`: help, exit codes, and errors of one line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import COFFEE, PAIR
from golden_pair import FOLDER, MMPROJ, TEXT

import hired_gguf

# Help


@pytest.mark.parametrize("command", ["ask", "chat", "explain", "inspect", "doctor"])
def test_help_has_examples_and_defaults(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"examples:\n  hired-gguf {command}" in out
    for option in [line for line in out.splitlines() if line.startswith("  --budget")]:
        assert "default:" in out[out.index(option) :][:250]


def test_help_lists_the_commands_in_order(run):
    code, out, _ = run("--help")
    assert code == 0
    names = ("ask", "chat", "explain", "qa", "eval", "inspect", "doctor", "bench", "quantize")
    lines = out.splitlines()
    places = [next(i for i, line in enumerate(lines) if line.startswith(f"    {name} ")) for name in names]
    assert places == sorted(places)
    for place, name in zip(places, names, strict=True):
        assert lines[place + 1].strip().startswith(f"hired-gguf {name} ".rstrip())


def test_version(run):
    assert run("--version") == (0, f"hired-gguf {hired_gguf.__version__}\n", "")


# Errors


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ((), "required: COMMAND"),
        (("ask", COFFEE), "required: QUESTION"),
        (("ask", COFFEE, "q", "--budget", "1.5"), "'1.5' is neither a fraction"),
        (("ask", COFFEE, "q", "--budget", "0"), "'0' is neither a fraction"),
        (("ask", COFFEE, "q", "--budget", "nan"), "'nan' is neither a fraction"),
        (("ask", COFFEE, "q", "--budget", "half"), "'half' is neither a fraction"),
        (("ask", COFFEE, "q", *PAIR, "--budget", "9999"), "9999 tokens exceed the 64 there are"),
        (("ask", COFFEE, "q", "--alpha", "2"), "'2' is not a number from 0 to 1"),
        (("ask", COFFEE, "q", "--temperature", "inf"), "'inf' is not a number of at least 0"),
        (("ask", COFFEE, "q", "--n-ctx", "0"), "'0' is not a whole number from 1 to 1048576"),
        (("ask", COFFEE, "q", "--allocation", "fair"), "'fair'"),
        (("ask", COFFEE, "q", "--device", "CUDA9"), "there is no device 'CUDA9'; allowed: auto, cpu"),
        (("ask", COFFEE, "q", "--model", "none.gguf"), "no such file: 'none.gguf'"),
        (("ask", COFFEE, "q", "--model", FOLDER), "not a file"),
        (("ask", COFFEE, "q", "--model", TEXT), "--model is given but --mmproj is not"),
        (("chat", "--mmproj", MMPROJ), "--mmproj is given but --model is not"),
        (("ask", "-", "q", "--image", "-"), "only one of the pictures"),
        (("ask", "https://example.org/a.png", "q", *PAIR), "give --allow-http"),
        (("inspect", "none.gguf"), "no such file: 'none.gguf'"),
    ],
)
def test_usage_errors(run, argv, text):
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("hired-gguf: error: ")
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("ask", "none.png", "q", *PAIR), "'none.png': no such file"),
        (("ask", TEXT, "q", *PAIR), "is not one of JPEG, PNG"),
        (("ask", COFFEE, "q", "--model", MMPROJ, "--mmproj", TEXT), "Are the two paths swapped?"),
        (("ask", COFFEE, "q", *PAIR, "--n-ctx", "20"), "make n_ctx at least"),
        (("inspect", TEXT), "this is a language model"),
    ],
)
def test_other_errors(run, argv, text):
    code, out, err = run(*argv)
    assert (code, out) == (1, "")
    assert err.startswith("hired-gguf: error: ")
    assert text in err
    assert err.count("\n") == 1


def test_an_error_of_llama_cpp_comes_with_its_reason(run, tmp_path):
    broken = tmp_path / "text.gguf"
    broken.write_bytes(TEXT.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_z.weight"))
    code, _, err = run("ask", COFFEE, "q", "--model", broken, "--mmproj", MMPROJ)
    assert code == 1
    assert "blk.0.attn_q.weight" in err
    assert err.count("\n") == 1


def test_very_verbose_errors_have_a_traceback(run):
    code, _, err = run("ask", "none.png", "q", *PAIR, "-vv")
    assert code == 1
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("hired-gguf: error: ")


def test_a_name_cannot_steer_the_terminal(run):
    _, _, err = run("inspect", "\x1b[2J\nx.gguf")
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_python_m_is_the_command(run):
    done = subprocess.run(
        [sys.executable, "-m", "hired_gguf", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == run("--version")[1]
