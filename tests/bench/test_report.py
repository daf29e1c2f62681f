"""The report of a benchmark: a row for each case, and what failed."""

from __future__ import annotations

from bench_runs import a_document, a_run

from hired_gguf.bench import report


def test_report_has_a_row_a_case_and_says_what_failed():
    failure = {"engine": "stock", "budget": None, "repetition": 1, "doing": "loading", "reason": "no"}
    document = a_document(
        runs=[a_run(repetition=1, ttft_s=1.0), a_run(repetition=2, ttft_s=3.0)],
        failures=[failure],
        ratios={"ttft": {"0.2": 5.0}},
        ratios_spread={"ttft": {"0.2": [4.0, 6.0]}},
    )
    text = report.make_report(document).as_text()
    assert "Question 1 about image 1 (medians of 2)" in text
    row = next(line for line in text.splitlines() if line.startswith("  budget 0.2"))
    seconds = ["1.000", "0.200", "0.000", "2.000", "1.000", "2.000", "5.000"]
    assert row.split()[2:] == ["100/500", *seconds, "3.000", "1.000", "1024"]
    assert "5.00x (4.00..6.00)" in text
    assert "FAILED: stock, loading: no" in text
    assert "a CPU, 2 threads, hired-gguf 1 (no commit known), llama-cpp-python 2" in text


def test_report_knows_what_is_not_known():
    text = report.make_report(a_document(runs=[a_run(peak_rss_bytes=None)])).as_text()
    assert text.splitlines()[2].endswith(" -")
