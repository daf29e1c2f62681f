"""The benchmark: its arithmetic on literal runs, then the whole command on a tiny pair. Asserts no speed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from llama_cpp.llama_chat_format import Llava16ChatHandler
from PIL import Image

from hired_gguf import BudgetError
from hired_gguf.bench import chart, machine, pair, report, runner
from hired_gguf.bench import child as child_module
from hired_gguf.bench.child import Child, ChildError
from hired_gguf.bench.engine import Settings
from hired_gguf.bench.engine_stock import StockEngine
from hired_gguf.bench.fit import fit_line, fit_runs
from hired_gguf.bench.measurement import Measurement, StreamClock, kv_bytes_per_token, peak_rss
from hired_gguf.bench.pictures import SIZES_HW, default_picture, write_pictures
from hired_gguf.bench.plan import ANSWER_TOKENS, FIRST, QUESTIONS, SECOND_IMAGE, SECOND_QUESTION, make_plan
from hired_gguf.bench.predict import case_seconds, plan_seconds, predict, predictions
from hired_gguf.bench.probe import Probe
from hired_gguf.bench.ratios import Spread, ratios, spread
from hired_gguf.bench.results import write_whole
from hired_gguf.cli import main
from hired_gguf.errors import HiredError, NativeError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.reporting import Table

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "hired-gguf")
FIELDS = {
    *("engine", "budget", "question", "image", "repetition", "ttft_s", "encode_s", "encode_per_tile_s"),
    *("select_s", "prefill_visual_s", "prefill_text_s", "total_s", "tokens_per_s", "peak_rss_bytes"),
    *("kv_visual_bytes", "visual_tokens", "visual_tokens_full", "partitions", "prompt_tokens"),
    *("completion_tokens", "n_ctx"),
}
PROBE = Probe(tile_s=2.0, rows_s=(1.0, 4.0), text_s=0.5, token_s=0.1, text_tokens=50)  # a row takes 1/64 s
BUDGETS = ("1.0", "0.25")

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HIRED_GGUF_MODEL", "HIRED_GGUF_MMPROJ"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def options(tiny):
    return [
        *("--model", str(tiny[0]), "--mmproj", str(tiny[1])),
        "--threads",
        "1",
        "--budgets",
        ",".join(BUDGETS),
    ]


@pytest.fixture(scope="session")
def measured(options, tmp_path_factory):
    """The folder of one whole benchmark, its JSON document, and its exit code."""
    folder = tmp_path_factory.mktemp("bench")
    files = [f"--{kind}={folder / kind}" for kind in ("json", "markdown", "chart")]
    code = main(["bench", *options, "--second-image-budgets", "0.25", "--repeat", "2", *files])
    return folder, json.loads((folder / "json").read_text()), code


def a_run(engine="ours", budget=0.2, question=1, image=1, repetition=1, **fields):
    numbers = Measurement(
        ttft_s=4.0,
        encode_s=1.0,
        encode_per_tile_s=0.2,
        select_s=0.0,
        prefill_visual_s=2.0,
        prefill_text_s=1.0,
        total_s=5.0,
        tokens_per_s=3.0,
        peak_rss_bytes=2**30,
        kv_visual_bytes=2**20,
        visual_tokens=100,
        visual_tokens_full=500,
        partitions=5,
        prompt_tokens=150,
        completion_tokens=15,
        n_ctx=512,
    )
    head = {"engine": engine, "budget": budget if engine == "ours" else None, "question": question}
    return {**head, "image": image, "repetition": repetition, **asdict(numbers), **fields}


# Ratios


def test_spread_is_median_and_range():
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert str(spread([3.0, 1.0, 2.0])) == "2.00x (1.00..3.00)"
    assert str(spread([2.0])) == "2.00x"


def test_ratios_divide_answers_of_the_same_repetition():
    runs = [
        a_run("stock", repetition=1, ttft_s=40.0, tokens_per_s=0.5),
        a_run("stock", repetition=2, ttft_s=60.0, tokens_per_s=0.5),
        a_run(repetition=1, ttft_s=10.0, tokens_per_s=2.0),
        a_run(repetition=2, ttft_s=10.0, tokens_per_s=1.0),
        a_run(repetition=3, ttft_s=0.1),  # stock failed there
    ]
    found = ratios(runs)
    assert found["ttft"] == {"0.2": Spread(5.0, 4.0, 6.0)}
    assert found["tokens_per_s"] == {"0.2": Spread(3.0, 2.0, 4.0)}
    assert "second_question" not in found


def test_ratios_of_second_question_and_image_are_their_own():
    runs = [
        a_run("stock", question=2, ttft_s=30.0),
        a_run("stock", image=2, ttft_s=20.0),
        a_run(question=2, ttft_s=3.0),
        a_run(image=2, ttft_s=5.0),
        a_run(budget=640, image=2, ttft_s=10.0),
    ]
    found = ratios(runs)
    assert found == {
        "second_question": {"0.2": Spread(10.0, 10.0, 10.0)},
        "second_image": {"0.2": Spread(4.0, 4.0, 4.0), "640": Spread(2.0, 2.0, 2.0)},
    }


def test_ratios_leave_out_what_is_not_known():
    assert "peak_rss" not in ratios([a_run("stock", peak_rss_bytes=None), a_run()])
    assert ratios([a_run(), a_run(budget=0.1)]) == {}


# Fits and predictions


def test_fit_of_points_on_a_line():
    line = fit_line([(1, 3.0), (2, 5.0), (4, 9.0)])
    assert (line.slope, line.intercept) == pytest.approx((2.0, 1.0))
    assert line.worst_error == pytest.approx(0.0, abs=1e-9)
    assert line.points == 3
    assert line.at(10) == pytest.approx(21.0)
    assert line.at(-10) == 0.0


def test_fit_tells_its_worst_error():
    assert fit_line([(0, 1.0), (1, 2.0), (2, 1.0)]).worst_error == pytest.approx(1 / 3)


def test_fit_of_a_single_x_goes_through_the_origin():
    line = fit_line([(5, 9.0), (5, 11.0)])
    assert (line.slope, line.intercept) == (2.0, 0.0)
    assert fit_line([]) is None


def test_fits_take_our_first_questions_only():
    runs = [
        a_run(ttft_s=4.0, encode_s=1.0, visual_tokens=100),
        a_run(ttft_s=6.5, encode_s=1.5, visual_tokens=200),
        a_run(ttft_s=0.1, question=2),
        a_run("stock", ttft_s=99.0),
    ]
    fits = fit_runs(runs)
    assert fits["prefill"].slope == pytest.approx(0.02)
    assert fits["prefill"].intercept == pytest.approx(1.0)
    assert fits["encode"].slope == pytest.approx(1.25 / 5)
    assert fit_runs([]) == {}


def test_prediction_adds_up():
    cost = predict(PROBE, visual_tokens=640, partitions=5)
    assert cost["encode_s"] == pytest.approx(10.0)
    assert cost["prefill_visual_s"] == pytest.approx(10.0)
    assert cost["ttft_s"] == pytest.approx(20.5)
    assert cost["total_s"] == pytest.approx(20.5 + 14 * 0.1)


def test_predictions_tell_their_error_where_measured(tiny):
    plan = make_plan(read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [], stock=True)
    expected = predict(PROBE, plan[2].visual_tokens[0], 5)["ttft_s"]
    rows = predictions(PROBE, plan, [a_run(ttft_s=expected / 1.1), a_run("stock")])
    assert [row["budget"] for row in rows] == [1.0, 0.2]
    assert rows[0]["error"] is None
    assert rows[1]["error"] == pytest.approx(0.1)


def test_plan_seconds_know_that_only_stock_reads_an_image_twice(tiny):
    stock, ours = make_plan(read_mmproj(tiny[1]), SIZES_HW, [0.2], [0.2], stock=True)
    first, again, second = case_seconds(PROBE, stock)
    assert first == again > second
    first, again, second = case_seconds(PROBE, ours)
    assert first > second > again
    assert plan_seconds(PROBE, [stock, ours], 3) == 3 * plan_seconds(PROBE, [stock, ours], 1)


# Plan, pictures, machine


def test_plan_names_tasks_contexts_and_tokens(tiny):
    stock, full, fifth = make_plan(read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [0.2], stock=True)
    assert stock.tasks == fifth.tasks == (FIRST, SECOND_QUESTION, SECOND_IMAGE)
    assert full.tasks == (FIRST, SECOND_QUESTION)
    assert [case.label for case in (stock, full, fifth)] == ["stock", "budget 1.0", "budget 0.2"]
    assert stock.partitions == fifth.partitions == (5, 5, 3)
    assert stock.visual_tokens == (80, 80, 48)
    assert fifth.visual_tokens == (16, 16, 9)
    assert [case.context(50) for case in (stock, full, fifth)] == [4096, 256, 256]
    assert [case.context(137) for case in (full, fifth)] == [256, 256]
    assert [case.context(138) for case in (full, fifth)] == [512, 256]
    assert stock.context(5000) == 5120


def test_plan_refuses_a_budget_that_the_pictures_cannot_have(tiny):
    with pytest.raises(BudgetError, match="1000"):
        make_plan(read_mmproj(tiny[1]), SIZES_HW, [1000], [], stock=False)


def test_pictures_are_always_the_same(tmp_path):
    first, second = default_picture(1), default_picture(2)
    assert [(p.height, p.width) for p in (first, second)] == list(SIZES_HW)
    assert first == default_picture(1)
    paths = write_pictures(tmp_path, [first, second])
    assert Image.open(paths[1]).convert("RGB") == second


def test_key_value_bytes_are_those_of_the_shape():
    shape = {"llama.block_count": "32", "llama.embedding_length": "4096", "llama.attention.head_count": "32"}
    vicuna = {"general.architecture": "llama", **shape}
    assert kv_bytes_per_token(vicuna) == 2 * 32 * 4096 * 2
    assert kv_bytes_per_token({**vicuna, "llama.attention.head_count_kv": "8"}) == 2 * 32 * 1024 * 2


def test_stream_clock_starts_before_the_stream():
    clock = StreamClock()
    clock.read(iter(["", "a", "b"]))
    assert 0 < clock.first_s <= clock.total_s
    silent = StreamClock()
    silent.read(iter([]))
    assert silent.first_s == silent.total_s > 0


def test_machine_tells_what_numbers_depend_on():
    facts = machine.machine(2)
    assert facts["threads"] == 2
    assert facts["processor"]
    assert 1 <= facts["cores"] <= os.cpu_count()
    assert facts["versions"]["llama-cpp-python"]
    assert peak_rss() > 2**20
    assert "busy (load 4.0 on 2 cores)" in machine.busy({"load": 4.0, "cores": 2})
    assert machine.busy({"load": None, "cores": 2}) == machine.busy({"load": 0.1, "cores": 2}) == ""


def test_stand_in_is_not_begun_where_it_could_not_run_or_fit(monkeypatch, tmp_path):
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: "SIGSEGV")
    with pytest.raises(NativeError, match=r"7B stand-in is quantised.*SIGSEGV"):
        pair.stand_in(False, 0, print)
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: None)
    monkeypatch.setattr(pair.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(HiredError, match=r"1\.0 GB free and the stand-in model needs 4\.5"):
        pair.stand_in(False, 0, print)


def test_stand_in_is_announced_and_made_once(monkeypatch):
    made, said = [], []
    monkeypatch.setattr(pair, "synthesize", lambda *what: made.append(what) or ("text", "mmproj"))
    assert pair.stand_in(True, 0, said.append) == ("text", "mmproj")
    assert made[0][1:] == ("f16", "small")
    assert "75 MB" in said[0]


# Results and reports


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_whole(path, "old")
    with pytest.raises(TypeError):
        write_whole(path, None)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_tables_for_terminals_and_documents():
    table = Table("Title", ("", "first token"), (("stock", "1.0"), ("budget 0.2", "12.5")))
    assert (
        table.as_text()
        == "Title\n              first token\n  stock               1.0\n  budget 0.2         12.5"
    )
    assert table.as_markdown() == (
        "**Title**\n\n|  | first token |\n| --- | ---: |\n| stock | 1.0 |\n| budget 0.2 | 12.5 |"
    )


def a_document(**parts):
    versions = {"hired-gguf": "1", "llama-cpp-python": "2"}
    facts = {"processor": "a CPU", "threads": 2, "commit": None, "versions": versions}
    empty = {"runs": [], "failures": [], "ratios": {}, "ratios_spread": {}, "fits": {}, "predictions": []}
    return {"command": "hired-gguf bench", "model": ["a/llava.gguf"], "machine": facts, **empty, **parts}


def test_report_has_a_row_a_case_and_says_what_failed():
    failure = {"engine": "stock", "budget": None, "repetition": 1, "doing": "loading", "reason": "no"}
    text = report.as_text(
        a_document(
            runs=[a_run(repetition=1, ttft_s=1.0), a_run(repetition=2, ttft_s=3.0)],
            failures=[failure],
            ratios={"ttft": {"0.2": 5.0}},
            ratios_spread={"ttft": {"0.2": [4.0, 6.0]}},
        )
    )
    assert "Question 1 about image 1 (medians of 2)" in text
    row = next(line for line in text.splitlines() if line.startswith("  budget 0.2"))
    seconds = ["1.000", "0.200", "0.000", "2.000", "1.000", "2.000", "5.000"]
    assert row.split()[2:] == ["100/500", *seconds, "3.000", "1.000", "1024"]
    assert "5.00x (4.00..6.00)" in text
    assert "FAILED: stock, loading: no" in text
    assert "a CPU, 2 threads, hired-gguf 1 (no commit known), llama-cpp-python 2" in text


def test_report_knows_what_is_not_known():
    assert report.as_text(a_document(runs=[a_run(peak_rss_bytes=None)])).splitlines()[2].endswith(" -")


def test_chart_bars_stack_up_to_the_answer():
    rows = chart.bars([a_run(), a_run("stock", total_s=50.0), a_run(question=2)], 1, 1)
    assert list(rows) == ["budget 0.2", "stock"]
    assert sum(rows["stock"].values()) == pytest.approx(50.0)
    assert rows["budget 0.2"]["rest_s"] == pytest.approx(1.0)


def test_chart_without_runs_or_matplotlib(tmp_path, monkeypatch):
    with pytest.raises(HiredError, match="nothing to draw"):
        chart.draw(a_document(), tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HiredError, match=r"a chart needs matplotlib .*pip install 'matplotlib>=3.8'"):
        chart.require_matplotlib()


# Child processes


def settings_of(pair, **changes):
    return {**asdict(Settings(str(pair[0]), str(pair[1]), 0.25, 512, 1, 0)), **changes}


@posix
def test_a_child_that_dies_is_reported_with_its_signal():
    with Child() as child:
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match=r"the child process died \(SIGKILL\)"):
            child.call("probe", settings={})


def test_a_childs_error_is_the_parents(tiny, monkeypatch):
    monkeypatch.setattr(child_module, "TICK_S", 0.001)
    ticks = []
    with Child() as child:
        with pytest.raises(ChildError, match="nothing is loaded"):
            child.call("ask", ticks.append, image="a.png", question="?", max_tokens=1)
        with pytest.raises(ChildError, match=r"missing\.gguf"):
            child.call("load", engine="ours", settings=settings_of(tiny, model="missing.gguf"))
        with pytest.raises(ChildError, match="KeyError"):
            child.call("load", engine="theirs", settings=settings_of(tiny))
    assert ticks
    assert ticks == sorted(ticks)


def test_a_child_ends_with_its_parents_end_of_the_pipe():
    with Child() as child:
        child._process.stdin.close()
        assert child._process.wait(timeout=20) == 0


def test_timing_stock_does_not_change_its_answer(tiny, tmp_path):
    """Its handler as it is, and with the clock between encoding and prefill: the same tokens."""
    picture = write_pictures(tmp_path, [default_picture(1)])[0]
    engine = StockEngine(Settings(*map(str, tiny), None, 512, 1, 0))
    measured = engine.ask(str(picture), QUESTIONS[0], ANSWER_TOKENS)
    llama = engine._llama
    timed = llama.input_ids[: llama.n_tokens].tolist()

    handler = Llava16ChatHandler(clip_model_path=str(tiny[1]), verbose=False)
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTIONS[0]}]
    messages = [{"role": "user", "content": content}]
    answer = handler(
        llama=llama, messages=messages, max_tokens=ANSWER_TOKENS, temperature=0.0, repeat_penalty=1.0
    )
    plain = llama.input_ids[: llama.n_tokens].tolist()
    llama.close()

    assert timed[measured.prompt_tokens :] == plain[measured.prompt_tokens :]
    assert len(timed) == len(plain) == measured.prompt_tokens + ANSWER_TOKENS - 1
    assert measured.completion_tokens == answer["usage"]["completion_tokens"] == ANSWER_TOKENS
    assert measured.prompt_tokens == answer["usage"]["prompt_tokens"]
    assert measured.visual_tokens == 80
    stages = measured.encode_s + measured.prefill_visual_s + measured.prefill_text_s
    assert 0 < stages < measured.ttft_s < measured.total_s


# The command


def test_results_have_the_documented_fields(measured):
    _, document, code = measured
    assert code == 0
    assert document["command"].startswith("hired-gguf bench --model")
    assert document["machine"]["threads"] == 1
    assert document["failures"] == []
    assert all(set(run) == FIELDS for run in document["runs"])
    order = [(run["repetition"], run["engine"], run["budget"]) for run in document["runs"]]
    once = [("stock", None)] * 3 + [("ours", 1.0)] * 2 + [("ours", 0.25)] * 3
    assert order == [(repetition, *case) for repetition in (1, 2) for case in once]


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
        assert run["n_ctx"] == 4096 if run["engine"] == "stock" else run["n_ctx"] <= 512
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


def test_our_second_question_reads_no_image(measured):
    again = [run for run in measured[1]["runs"] if run["engine"] == "ours" and run["question"] == 2]
    assert len(again) == 4
    assert all(run["prefill_visual_s"] == 0 for run in again)


def test_results_have_ratios_fits_and_predictions(measured):
    document = measured[1]
    found = ratios(document["runs"])
    for name in ("ttft", "tokens_per_s", "second_question", "encode_per_tile", "peak_rss", "kv_visual"):
        assert list(document["ratios"][name]) == list(BUDGETS)
        low, high = document["ratios_spread"][name]["0.25"]
        assert low <= document["ratios"][name]["0.25"] == found[name]["0.25"].middle <= high
    assert list(document["ratios"]["second_image"]) == ["0.25"]
    assert document["ratios"]["kv_visual"]["0.25"] == 4.0
    assert (document["fits"]["prefill"]["points"], document["fits"]["encode"]["points"]) == (4, 6)
    assert [row["budget"] for row in document["predictions"]] == [1.0, 0.25]
    assert all(row["error"] > -1 for row in document["predictions"])


def test_results_in_markdown_and_as_a_chart(measured):
    folder, document, _ = measured
    text = (folder / "markdown").read_text()
    assert text.startswith(f"`{document['command']}`")
    assert "| stock | 80/80 |" in text
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
    assert [(run["budget"], run["visual_tokens"]) for run in document["runs"]] == [(16, 16)] * 2
    assert "2 answers to measure, which will take about" in err
    assert "1 of 2: budget 16, question 1, image 1: first token after" in err


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
    assert "error: budget 1.0, question 2, image 1: the child process died (SIGILL)" in err


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
        (["--quick", "--model", "{model}", "--mmproj", "{mmproj}"], "--quick brings a small pair of its own"),
        (["--model", "{model}"], "--model is given but --mmproj is not"),
        (["--budgets", "0.2,x"], "'x' is neither a fraction"),
        (["--json", "no/such/folder/a.json"], "'no/such/folder/a.json' cannot be written there"),
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
