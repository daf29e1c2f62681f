"""The command line: answers, exit codes, what goes to which stream, and what a terminal sees."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
from paths import GOLDEN_FOLDER

import hired_gguf
from hired_gguf.cli import main
from hired_gguf.commands import chat as chat_command
from hired_gguf.commands import doctor_checks
from hired_gguf.console.terminal import print_summary
from hired_gguf.context.run import Run
from hired_gguf.native import amx_crash, cpu
from hired_gguf.native.log import NativeLog

GOLDEN = GOLDEN_FOLDER / "hf_tiny"
COFFEE, ROCKET = str(GOLDEN / "coffee.png"), str(GOLDEN / "rocket.png")
TEXT, MMPROJ = str(GOLDEN / "text-f32.gguf"), str(GOLDEN / "mmproj-f32.gguf")
PAIR = ("--model", TEXT, "--mmproj", MMPROJ)
SHORT = (*PAIR, "--max-tokens", "4")
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "hired-gguf")

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


@pytest.fixture
def endless(tiny):
    """Options for an answer that does not stop by itself."""
    text, mmproj = tiny
    return ("--model", str(text), "--mmproj", str(mmproj), "--max-tokens", "30000", "--n-ctx", "32768")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HIRED_GGUF_MODEL", "HIRED_GGUF_MMPROJ"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys):
    """Run a command here; its exit code, standard output and standard error."""

    def runner(*argv):
        code = main(argv)
        return code, *capsys.readouterr()

    return runner


def feed(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


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


# ask


def test_ask_prints_the_answer_alone(run):
    with hired_gguf.LlavaNext(TEXT, MMPROJ) as llm:
        expected = llm.ask(COFFEE, "What is it?", max_tokens=4).text
    code, out, err = run("ask", COFFEE, "What is it?", *SHORT)
    assert (code, out.strip(), err) == (0, expected, "")


def test_ask_json(run):
    code, out, err = run("ask", COFFEE, "What is it?", *SHORT, "--budget", "20", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert answer["visual_tokens"] == answer["budget"] == 20
    assert (answer["visual_tokens_full"], answer["completion_tokens"]) == (66, 4)
    assert (answer["model"], answer["mmproj"]) == (TEXT, MMPROJ)
    assert set(answer) == {
        *("answer", "visual_tokens", "visual_tokens_full", "prompt_tokens", "completion_tokens"),
        *("reused_tokens", "encoded_images", "reused_encodings"),
        *("finish_reason", "timings", "model", "mmproj"),
        *("budget", "alpha", "allocation", "selection", "newlines"),
    }
    assert answer["timings"]["ttft_s"] > 0


def test_options_reach_the_model(run):
    def visual(*extra):
        return json.loads(run("ask", COFFEE, "q", *SHORT, "--json", *extra)[1])["visual_tokens"]

    assert visual("--budget", "1.0") == 66
    assert visual("--budget", "1.0", "--newlines", "drop") < 66
    assert visual("--image", ROCKET) > visual() > visual("--budget", "0.1")
    assert visual("--allocation", "official", "--alpha", "0.3") <= visual()


def test_seed_decides_a_sampled_answer(run):
    def sampled(*extra):
        return run("ask", COFFEE, "q", *SHORT, "--temperature", "1", *extra)[1]

    assert sampled("--seed", "7") == sampled("--seed", "7")
    assert len({sampled() for _ in range(4)}) > 1


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
    monkeypatch.setenv("HIRED_GGUF_MODEL", TEXT)
    monkeypatch.setenv("HIRED_GGUF_MMPROJ", MMPROJ)
    assert run("ask", COFFEE, "q", "--max-tokens", "4") == run("ask", COFFEE, "q", *SHORT)


def test_verbose_shows_the_log_of_llama_cpp(run):
    assert "llama_model_loader" in run("ask", COFFEE, "q", *SHORT, "-v")[2]
    assert run("ask", COFFEE, "q", *SHORT, "--n-ctx", "8192")[2] == ""  # which llama.cpp warns of


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
        (("ask", COFFEE, "q", "--device", "CUDA9"), "'CUDA9' is not there; allowed: auto, cpu"),
        (("ask", COFFEE, "q", "--model", "none.gguf"), "no such file: 'none.gguf'"),
        (("ask", COFFEE, "q", "--model", str(GOLDEN)), "not a file"),
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
    broken.write_bytes(Path(TEXT).read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_z.weight"))
    code, _, err = run("ask", COFFEE, "q", "--model", str(broken), "--mmproj", MMPROJ)
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


def test_the_log_is_given_back():
    with NativeLog() as log:
        log.hear(4, b"first\n", None)
        log.hear(4, b"second\n", None)
    assert log.first_error == "first"


# chat


def chat(run, monkeypatch, lines, *argv):
    feed(monkeypatch, "\n".join(lines).encode())
    return run("chat", *argv, *SHORT)


def test_chat_from_a_pipe(run, monkeypatch):
    code, out, err = chat(run, monkeypatch, ["What is it?", "", "And now?", "/quit", "never"], COFFEE)
    with hired_gguf.LlavaNext(TEXT, MMPROJ) as llm:
        talk = llm.chat(max_tokens=4)
        expected = [talk.send("What is it?", COFFEE).text, talk.send("And now?").text]
    assert (code, err) == (0, "")
    assert out == "".join(f"{answer}\n" for answer in expected)


def test_chat_commands(run, monkeypatch):
    lines = [f"/image {COFFEE}", "/budget 20", "What is it?", "/reset", "What is it?", "/help"]
    code, out, err = chat(run, monkeypatch, lines)
    with hired_gguf.LlavaNext(TEXT, MMPROJ) as llm:
        options = {"max_tokens": 4, "budget": 20}
        expected = [llm.ask(image, "What is it?", **options).text for image in (COFFEE, None)]
    assert (code, err) == (0, "")
    assert out.startswith("".join(f"{answer}\n" for answer in expected))
    assert "/image PATH" in out


def test_chat_goes_on_after_an_error(run, monkeypatch):
    code, out, err = chat(run, monkeypatch, ["/image none.png", "/budget x", "/fly", "What is it?"])
    assert code == 1
    assert len(out.splitlines()) == 1
    for text in ("'none.png': no such file", "/budget: 'x' is neither", "no such command: /fly"):
        assert text in err


def test_a_failed_turn_keeps_its_picture(run, monkeypatch):
    code, out, err = chat(run, monkeypatch, ["/budget 9999", "q", "/budget 20", "q"], COFFEE)
    assert "9999 tokens exceed" in err
    assert code == 1
    assert out == chat(run, monkeypatch, ["/budget 20", "q"], COFFEE)[1]


# inspect and doctor


def test_inspect_table(run):
    code, out, err = run("inspect", MMPROJ)
    assert (code, err) == (0, "")
    assert "3 run, of 3 in the file" in out
    assert "spatial_unpad" in out
    rows = [line.split() for line in out.splitlines() if " x " in line and line.split()[-1].isdecimal()]
    assert ["112", "x", "112", "5", "80", "88", "32", "16", "8"] in rows


def test_inspect_json_agrees_with_an_answer(run):
    facts = json.loads(run("inspect", MMPROJ, "--json", "--budget", "0.5", "--budget", "70")[1])
    assert (facts["heads"], facts["tile"], facts["patch"], facts["projector_width"]) == (4, 56, 14, 128)
    first, third = facts["grids"][0], facts["grids"][2]
    assert first == {
        "grid": [56, 112],
        "partitions": 3,
        "tokens": 48,
        "full": 52,
        "kept": {"0.5": 24, "70": None},
    }
    assert third["kept"] == {"0.5": 40, "70": 70}


@pytest.fixture
def healthy(monkeypatch):
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2"])
    monkeypatch.setattr(amx_crash, "crash", lambda: None)
    monkeypatch.setattr(doctor_checks.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: name in ("CPU", "Vulkan"))


def test_doctor_finds_nothing_wrong(run, healthy):
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert "llama-cpp-python  0.3.36 (the pinned version)" in out
    assert "GiB" in out
    assert "No problem found." in out


def test_doctor_json(run, healthy):
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["backends"]["CPU"] is True
    assert (report["problems"], report["advice"]) == ([], [])
    assert Path(report["libraries"]["llama.cpp"]).is_dir()


def test_doctor_tells_whose_kernels_run(run, healthy, monkeypatch):
    for here, switch, expected in (
        (True, "1", "kernels: used by the vision encoder and by Q4_0 language models\n"),
        (True, "0", "kernels: not used, since HIRED_GGUF_KERNELS=0\n"),
        (False, "1", "kernels: not used; they need x86-64 with AVX-512 and VNNI\n"),
    ):
        monkeypatch.setattr(hired_gguf._core, "have_kernels", lambda here=here: here)
        monkeypatch.setenv("HIRED_GGUF_KERNELS", switch)
        assert expected in run("doctor")[1]
    monkeypatch.setattr(hired_gguf._core, "have_kernels", lambda: True)
    monkeypatch.setenv("HIRED_GGUF_KERNELS", "1")
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"amx_int8"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2", "AMX_INT8"])
    assert "kernels: used by the vision encoder\n" in run("doctor")[1]


def test_doctor_reports_a_crash_with_amx(run, healthy, monkeypatch):
    monkeypatch.setattr(amx_crash, "crash", lambda: "SIGSEGV")
    code, out, _ = run("doctor")
    assert code == 1
    assert "PROBLEM: llama-cpp-python crashes (SIGSEGV)" in out
    assert '  CFLAGS="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" CXXFLAGS="-mno-amx' in out


def test_doctor_reports_a_test_that_could_not_run(run, healthy, monkeypatch):
    def fail():
        raise hired_gguf.HiredError("disk full")

    monkeypatch.setattr(amx_crash, "crash", fail)
    code, out, _ = run("doctor")
    assert code == 1
    assert "could not run: disk full" in out


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ("Tesla P40, 6.1\n", ("Tesla P40 seems present", "CUDA 12.x (not 13)", 61)),
        ("NVIDIA H100 80GB, 9.0\n", ("NVIDIA H100 80GB seems present", "CUDA 12 or later", 90)),
        ("Failed to initialize NVML\n", ("An NVIDIA GPU seems present", "CUDA 12.x (not 13)", 61)),
    ],
)
def test_doctor_advises_cuda(healthy, monkeypatch, gpus, expected):
    name, toolkit, capability = expected

    def answer(command, **_):
        return subprocess.CompletedProcess(command, 0, gpus, "")

    monkeypatch.setattr(doctor_checks.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: False)
    monkeypatch.setattr(doctor_checks.subprocess, "run", answer)
    (found,) = doctor_checks.advice()
    assert found.what.startswith(name)
    assert toolkit in found.fix
    assert f'CMAKE_ARGS="-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES={capability}" pip install' in found.fix


def test_doctor_tells_a_cpu_build_of_the_p40(healthy, monkeypatch):
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: name == "CPU")
    (found,) = doctor_checks.advice()
    assert "for the CPU alone" in found.what
    assert "Tesla P40" in found.fix
    assert "-DCMAKE_CUDA_ARCHITECTURES=61" in found.fix


def test_doctor_advises_a_build_for_this_cpu(healthy, monkeypatch):
    monkeypatch.setattr(cpu, "built_features", lambda: ["SSE3"])
    (found,) = doctor_checks.advice()
    assert "AVX2" in found.what


# Processes, signals, terminals


def start(*argv, **streams):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([SCRIPT, *argv], **{**pipes, **streams})


def finish(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err.decode()


def test_python_m_is_the_command(run):
    done = subprocess.run(
        [sys.executable, "-m", "hired_gguf", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == run("--version")[1]


@posix
def test_ctrl_c_within_a_streamed_answer(endless):
    process = start("ask", COFFEE, "q", *endless)
    assert process.stdout.read(1)  # it streams
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert out.endswith(b"\n")
    assert "Traceback" not in err


@posix
def test_a_closed_pipe_ends_quietly(endless):
    process = start("ask", COFFEE, "q", *endless)
    assert process.stdout.read(1)
    process.stdout.close()
    code = process.wait(timeout=30)
    assert (code, process.stderr.read().decode().count("\n")) == (141, 0)
    process.stderr.close()


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


class Terminal:
    """A command that runs in a terminal of its own."""

    def __init__(self, *argv, **streams):
        self.main, side = os.openpty()
        self.process = start(*argv, **{**dict.fromkeys(("stdin", "stdout", "stderr"), side), **streams})
        os.close(side)
        self.shown = ""

    def read(self, until=None):
        """What it shows, to a text or to the end."""
        with suppress(OSError):  # so Linux says that nobody has the other side
            while until is None or until not in self.shown:
                if not select.select([self.main], [], [], 30)[0]:
                    pytest.fail(f"only {self.shown!r}")
                self.shown += os.read(self.main, 4096).decode(errors="replace")
        seen, _, self.shown = self.shown.partition(until or "\0")
        return seen

    def type(self, text):
        os.write(self.main, text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.main)


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
