"""`hired-gguf ask`: the answer alone on standard output, or all its numbers as JSON."""

from __future__ import annotations

import json
import signal

from command_line import COFFEE, ROCKET, SHORT, finish, posix, start
from golden_pair import MMPROJ, TEXT

from hired_gguf import LlavaNext


def test_ask_prints_the_answer_alone(run):
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        expected = llm.ask(COFFEE, "What is it?", max_tokens=4).text
    code, out, err = run("ask", COFFEE, "What is it?", *SHORT)
    assert (code, out.strip(), err) == (0, expected, "")


def test_ask_json(run):
    code, out, err = run("ask", COFFEE, "What is it?", *SHORT, "--budget", "20", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert answer["visual_tokens"] == answer["budget"] == 20
    assert (answer["visual_tokens_full"], answer["completion_tokens"]) == (66, 4)
    assert (answer["model"], answer["mmproj"]) == (str(TEXT), str(MMPROJ))
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


# Signals and pipes


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
