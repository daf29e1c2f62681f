"""How many times better than stock: medians and ranges of literal runs."""

from __future__ import annotations

from bench_runs import a_run

from hired_gguf.bench.ratios import Spread, ratios, spread


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
        a_run("stock_plain", repetition=1, ttft_s=20.0),
        a_run(type="q8_0", ttft_s=0.1),  # without stock
    ]
    found = ratios(runs)
    assert list(found) == ["q4_0"]
    found = found["q4_0"]
    assert found["ttft"] == {"0.2": Spread(5.0, 4.0, 6.0), "stock_plain": Spread(2.0, 2.0, 2.0)}
    assert found["tokens_per_s"]["0.2"] == Spread(3.0, 2.0, 4.0)
    assert "second_question" not in found


def test_ratios_of_second_question_and_image_are_their_own():
    runs = [
        a_run("stock", question=2, ttft_s=30.0),
        a_run("stock", image=2, ttft_s=20.0),
        a_run(question=2, ttft_s=3.0),
        a_run(image=2, ttft_s=5.0),
        a_run(budget=640, image=2, ttft_s=10.0),
    ]
    found = ratios(runs)["q4_0"]
    assert found == {
        "second_question": {"0.2": Spread(10.0, 10.0, 10.0)},
        "second_image": {"0.2": Spread(4.0, 4.0, 4.0), "640": Spread(2.0, 2.0, 2.0)},
    }


def test_ratios_leave_out_what_is_not_known():
    assert "peak_rss" not in ratios([a_run("stock", peak_rss_bytes=None), a_run()])["q4_0"]
    assert ratios([a_run(), a_run(budget=0.1)]) == {}
