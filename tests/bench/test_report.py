"""The report of a benchmark: a row for each case, and what failed."""

from __future__ import annotations

import re

from bench_runs import a_document, a_run

from hired_gguf.bench import report
from hired_gguf.bench.depth import full_depth


def test_report_has_a_row_a_case_and_says_what_failed():
    failure = {
        "type": "q4_0",
        "engine": "stock",
        "budget": None,
        "repetition": 1,
        "doing": "loading",
        "reason": "no",
    }
    document = a_document(
        runs=[a_run(repetition=1, ttft_s=1.0), a_run(repetition=2, ttft_s=3.0)],
        failures=[failure],
        ratios={"q4_0": {"ttft": {"0.2": 5.0}}},
        ratios_spread={"q4_0": {"ttft": {"0.2": [4.0, 6.0]}}},
    )
    text = report.make_report(document).as_text()
    assert "Question 1 about image 1 (medians of 2)" in text
    row = next(line for line in text.splitlines() if line.startswith("  q4_0 budget 0.2"))
    seconds = ["1.000", "0.200", "0.000", "2.000", "1.000", "2.000", "0.050", "5.000"]
    assert row.split()[3:] == ["ggml", "100/500", *seconds, "3.000", "1.000", "1024", "1.000..3.000"]
    assert "5.00x (4.00..6.00)" in text
    assert "FAILED: q4_0 stock, loading: no" in text
    assert "a CPU, 2 threads, hired-gguf 1 (no commit known), llama-cpp-python 2" in text


def test_report_knows_what_is_not_known():
    text = report.make_report(a_document(runs=[a_run(peak_rss_bytes=None)])).as_text()
    assert text.splitlines()[2].endswith(" -")


def test_report_says_how_the_first_tokens_seconds_are_made_up():
    text = report.make_report(a_document(runs=[a_run(ttft_s=5.0)])).as_text()
    shares = text.partition("How the seconds to the first token are made up")[2].splitlines()[2]
    parts = ["1.000 (20%)", "0.000 (0%)", "2.000 (40%)", "1.000 (20%)", "1.000 (20%)", "5.000"]
    assert re.split(r"\s{2,}", shares.strip())[1:] == parts


def test_report_marks_what_is_computed_for_all_layers():
    runs = [a_run()]
    depth = {"layers": 4, "whole": 32, "token_factor": {"q4_0": 6.0}}
    document = a_document(runs=runs, depth=depth, full_depth=full_depth(runs, depth))
    text = report.make_report(document).as_text()
    assert "COMPUTED for 32 text layers from the 4 measured" in text
    assert "The text model has 4 of 32 layers" in text
    row = text.partition("COMPUTED")[2].splitlines()[2]
    assert row.split()[3:] == ["ggml", "1.000", "0.000", "16.0", "8.000", "25.0", "0.300", "29.2"]
