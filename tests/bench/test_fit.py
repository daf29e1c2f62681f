"""Straight lines through measured seconds."""

from __future__ import annotations

import pytest
from bench_runs import a_run

from hired_gguf.bench.fit import fit_line, fit_runs


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
    fits = fit_runs([*runs, a_run(type="q8_0", visual_tokens=100, ttft_s=9.0)])
    assert fits["q8_0"]["prefill"].slope == pytest.approx(0.08)
    fits = fits["q4_0"]
    assert fits["prefill"].slope == pytest.approx(0.02)
    assert fits["prefill"].intercept == pytest.approx(1.0)
    assert fits["encode"].slope == pytest.approx(1.25 / 5)
    assert fit_runs([]) == {}
