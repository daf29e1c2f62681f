"""`hired-gguf bench` as a whole on a tiny pair. Asserts no speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from command_line import SCRIPT, posix
from PIL import Image

from hired_gguf.bench import runner
from hired_gguf.bench.plan import ANSWER_TOKENS, QUESTIONS
from hired_gguf.bench.ratios import ratios
from hired_gguf.cli import main
from hired_gguf.native.child import Child
from hired_gguf.native.child_errors import ChildError
from hired_gguf.native.kernels import text_kernel
from hired_gguf.native.load import VERSION

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

FIELDS = {
    *(
        "type",
        "engine",
        "budget",
        "question",
        "image",
        "repetition",
        "ttft_s",
        "encode_s",
        "encode_per_tile_s",
    ),
    *("select_s", "prefill_visual_s", "prefill_text_s", "total_s", "token_s", "tokens_per_s"),
    *(
        "peak_rss_bytes",
        "kernel",
        "kv_visual_bytes",
        "visual_tokens",
        "visual_tokens_full",
        "partitions",
        "prompt_tokens",
    ),
    *("completion_tokens", "n_ctx", "others_cores"),
}


BUDGETS = ("1.0", "0.25")
PAIR = ("--model", "{model}", "--mmproj", "{mmproj}")


@pytest.fixture(scope="session")
def options(tiny):
    pair = ("--model", str(tiny[0]), "--mmproj", str(tiny[1]))
    return [*pair, "--threads", "1", "--budgets", ",".join(BUDGETS)]


@pytest.fixture(scope="session")
def measured(options, tmp_path_factory):
    """The folder of one whole benchmark, its JSON document, and its exit code."""
    folder = tmp_path_factory.mktemp("bench")
    files = [f"--{kind}={folder / kind}" for kind in ("json", "markdown", "chart")]
    code = main(["bench", *options, "--second-image-budgets", "0.25", "--repeat", "2", *files])
    return folder, json.loads((folder / "json").read_text()), code


@pytest.mark.slow
def test_results_have_the_documented_fields(measured):
    _, document, code = measured
    assert code == 0
    assert document["command"].startswith("hired-gguf bench --model")
    assert document["machine"]["threads"] == 1
    assert document["failures"] == []
    assert all(set(run) == FIELDS for run in document["runs"])
    order = [(run["repetition"], run["engine"], run["budget"]) for run in document["runs"]]
    once = [("stock", None)] * 3 + [("stock_plain", None)] + [("ours", 1.0)] * 2 + [("ours", 0.25)] * 3
    assert order == [(repetition, *case) for repetition in (1, 2) for case in once]


@pytest.mark.slow
def test_results_are_plausible(measured):
    for run in measured[1]["runs"]:
        stages = ("encode_s", "select_s", "prefill_visual_s", "prefill_text_s")
        assert 0 <= sum(run[stage] for stage in stages) <= run["ttft_s"] < run["total_s"]
        assert run["completion_tokens"] == ANSWER_TOKENS
        assert run["tokens_per_s"] == pytest.approx(ANSWER_TOKENS / run["total_s"])
        assert run["kv_visual_bytes"] == run["visual_tokens"] * 2 * 2 * 128 * 2
        assert run["prompt_tokens"] - run["visual_tokens"] > 20
        assert run["peak_rss_bytes"] > 10**7
        assert run["partitions"] == {1: 5, 2: 3}[run["image"]]
        assert run["prompt_tokens"] + ANSWER_TOKENS <= run["n_ctx"]
        assert run["n_ctx"] == 4096 if run["engine"] != "ours" else run["n_ctx"] <= 512
    tokens = {
        (r["budget"], r["image"]): (r["visual_tokens"], r["visual_tokens_full"]) for r in measured[1]["runs"]
    }
    full, half = 5 * 16 + 8, 3 * 16 + 4  # with a newline after each row of the mosaic
    assert tokens == {
        (None, 1): (80, 80),
        (None, 2): (48, 48),
        (1.0, 1): (full, full),
        (0.25, 1): (20, full),
        (0.25, 2): (12, half),
    }


@pytest.mark.slow
def test_our_second_question_reads_no_image(measured):
    again = [run for run in measured[1]["runs"] if run["engine"] == "ours" and run["question"] == 2]
    assert len(again) == 4
    assert all(run["prefill_visual_s"] == 0 for run in again)


@pytest.mark.slow
def test_results_have_ratios_fits_and_predictions(measured):
    document = measured[1]
    found, middles, spreads = (
        by_type["f32"]
        for by_type in (ratios(document["runs"]), document["ratios"], document["ratios_spread"])
    )
    for name in ("ttft", "tokens_per_s", "second_question", "encode_per_tile", "peak_rss", "kv_visual"):
        plain = [] if name == "second_question" else ["stock_plain"]
        assert list(middles[name]) == [*plain, *BUDGETS]
        low, high = spreads[name]["0.25"]
        assert low <= middles[name]["0.25"] == found[name]["0.25"].middle <= high
    assert list(middles["second_image"]) == ["0.25"]
    assert middles["kv_visual"] == {"stock_plain": 1.0, "1.0": 80 / 88, "0.25": 4.0}
    fits = document["fits"]["f32"]
    assert (fits["prefill"]["points"], fits["encode"]["points"]) == (4, 6)
    assert [row["budget"] for row in document["predictions"]] == [1.0, 0.25]
    assert all(row["error"] > -1 for row in document["predictions"])


@pytest.mark.slow
def test_results_in_markdown_and_as_a_chart(measured):
    folder, document, _ = measured
    text = (folder / "markdown").read_text()
    assert text.startswith(f"`{document['command']}`")
    assert "| f32 stock | ggml | 80/80 |" in text
    assert "| f32 stock, use_extra_bufts=False | ggml | 80/80 |" in text
    with Image.open(folder / "chart") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400


def test_predict_alone(options, capsys, tmp_path):
    code = main(["bench", "--predict", *options, "--json", str(tmp_path / "p.json")])
    out, _ = capsys.readouterr()
    assert code == 0
    assert "Predicted by a short probe" in out
    document = json.loads((tmp_path / "p.json").read_text())
    assert document["runs"] == []
    assert all(row["ttft_s"] > 0 and row["error"] is None for row in document["predictions"])


def test_without_stock_there_are_no_ratios(options, capsys):
    code = main(["bench", "--skip-stock", *options, "--budgets", "16", "--json", "-"])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert code == 0
    assert document["ratios"] == {}
    runs = [(run["budget"], run["visual_tokens"], run["repetition"]) for run in document["runs"]]
    assert runs == [(16, 16, repetition) for repetition in (1, 1, 2, 2, 3, 3)]  # a short plan is repeated
    assert "6 answers to measure, which will take about" in err
    assert "1 of 6: f32 budget 16, question 1, image 1: first token after" in err


def test_a_failure_stops_its_case_alone(options, capsys, monkeypatch):
    class BadChild(Child):
        def call(self, do, *rest, **arguments):
            if do == "ask" and str(arguments["question"]) == QUESTIONS[1]:
                raise ChildError("the child process died (SIGILL)")
            return super().call(do, *rest, **arguments)

    monkeypatch.setattr(runner, "Child", BadChild)
    code = main(["bench", "--skip-stock", *options, "--repeat", "2", "--json", "-"])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert code == 1
    assert [(run["budget"], run["question"]) for run in document["runs"]] == [(1.0, 1), (0.25, 1)]
    assert [failure["doing"] for failure in document["failures"]] == ["question 2, image 1"] * 2
    assert "error: f32 budget 1.0, question 2, image 1: the child process died (SIGILL)" in err


def test_a_sweep_over_types_on_a_few_layers(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HIRED_GGUF_CACHE", str(tmp_path))
    sweep = ("--quick", "--layers", "1", "--types", "q4_0,q5_k_m", "--threads", "1", "--repeat", "1")
    code = main(["bench", *sweep, "--json", "-"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    engines = [("stock", None), ("stock_plain", None), ("ours", 1.0), ("ours", 0.2)]
    cases = [(run["type"], run["engine"], run["budget"]) for run in document["runs"]]
    assert cases == [(kind, *engine) for kind in ("q4_0", "q5_k_m") for engine in engines]
    assert {run["question"] for run in document["runs"]} == {run["image"] for run in document["runs"]} == {1}
    ours = {(run["type"], run["kernel"]) for run in document["runs"] if run["engine"] == "ours"}
    assert ours == {("q4_0", text_kernel("Q4_0")), ("q5_k_m", text_kernel("Q5_K"))}
    assert (document["depth"]["layers"], document["depth"]["whole"]) == (1, 8)
    assert [(row["type"], row["engine"], row["budget"]) for row in document["full_depth"]] == cases
    for row, run in zip(document["full_depth"], document["runs"], strict=True):
        assert row["prefill_visual_s"] == pytest.approx(8 * run["prefill_visual_s"])
        assert row["encode_s"] == run["encode_s"]
    assert set(document["probes"]) == set(document["ratios"]) == {"q4_0", "q5_k_m"}
    kept = [path.name for path in (tmp_path / VERSION).iterdir() if "f16" in path.name]
    assert kept == ["mmproj-small-f16.gguf"]


def test_more_layers_than_the_shape_has(capsys):
    assert main(["bench", "--quick", "--layers", "9"]) != 0
    assert "layers is 9; small allows 1 to 8" in capsys.readouterr().err


@pytest.mark.slow
@posix
def test_an_interrupted_benchmark_keeps_what_it_has(options, tmp_path):
    results = tmp_path / "results.json"
    command = [SCRIPT, "bench", *options, "--repeat", "1000", "--json", str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(400):
            if results.exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert json.loads(results.read_text())["runs"][0]["engine"] == "stock"
    assert os.listdir(tmp_path) == ["results.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quick", *PAIR], "--quick measures random weights of its own: leave it out, or --model"),
        (["--layers", "2", *PAIR], "--layers measures random weights of its own: leave it out, or --model"),
        (["--types", "q4_0", *PAIR], "--types measures random weights of its own: leave it out, or --model"),
        (["--types", "q4_0,q9"], "'q9' is none of q3_k_m, q4_0, q4_k_m, q5_0, q5_k_m, q6_k, q8_0"),
        (["--layers", "0"], "'0' is not a whole number of at least 1"),
        (["--model", "{model}"], "--model is given but --mmproj is not"),
        (["--budgets", "0.2,x"], "'x' is neither a fraction"),
        (
            ["--json", "no/such/folder/a.json"],
            "the file 'no/such/folder/a.json' cannot be written: its folder is missing",
        ),
        (["--image", "no.png"], "no such file: 'no.png'"),
        (["--model", "{model}", "--mmproj", "{mmproj}", "--budgets", "5000"], "5000"),
    ],
)
def test_wrong_usage(arguments, message, tiny, capsys):
    code = main(["bench", *(part.format(model=tiny[0], mmproj=tiny[1]) for part in arguments)])
    assert code == 2
    assert message in capsys.readouterr().err


def test_help_has_examples(capsys):
    assert main(["bench", "--help"]) == 0
    assert "examples:\n  hired-gguf bench --quick" in capsys.readouterr().out
