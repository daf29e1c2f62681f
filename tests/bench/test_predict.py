"""Seconds predicted from a short probe."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_runs import a_run

from hired_gguf.bench.pictures import SIZES_HW
from hired_gguf.bench.plan import make_plan
from hired_gguf.bench.predict import (
    SHORT_S,
    case_seconds,
    plan_seconds,
    predict,
    predictions,
    repetitions_in_time,
)
from hired_gguf.bench.prefill_cost import Batch, PrefillCost
from hired_gguf.bench.probe import Probe
from hired_gguf.model_files.mmproj import read_mmproj

COST = PrefillCost(fixed=0.5, row=1 / 64, attention=1e-5, batch=512)
BATCHES = tuple(Batch(*at, COST.seconds(*at)) for at in ((64, 0), (512, 0), (64, 512)))
PROBE = Probe(
    tile_s=2.0, batches=BATCHES, batch_rows=512, text_s=0.5, token_s=0.1, rest_s=0.25, text_tokens=50
)


def test_prediction_adds_up():
    cost = predict(PROBE, visual_tokens=640, partitions=5)
    assert cost["encode_s"] == pytest.approx(10.0)
    visual = 2 * 0.5 + 640 / 64 + 1e-5 * (512 * 512 + 128 * 768)
    text = 0.5 + 0.1 + 1e-5 * 50 * 640  # the second batch reads the weights again, and attends to the picture
    assert cost["prefill_visual_s"] == pytest.approx(visual)
    assert cost["prefill_text_s"] == pytest.approx(text)
    assert cost["ttft_s"] == pytest.approx(10 + visual + text + 0.25)
    assert cost["total_s"] == pytest.approx(10 + visual + text + 0.25 + 14 * 0.1)


def test_predictions_tell_their_error_where_measured(tiny):
    plan = make_plan(read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [], stock=True, types=["q4_0"])
    expected = predict(PROBE, plan[-1].visual_tokens[0], 5)["ttft_s"]
    rows = predictions({"q4_0": PROBE}, plan, [a_run(ttft_s=expected / 1.1), a_run("stock")])
    assert [row["budget"] for row in rows] == [1.0, 0.2]
    assert rows[0]["error"] is None
    assert rows[1]["error"] == pytest.approx(0.1)


def test_plan_seconds_know_that_only_stock_reads_an_image_twice(tiny):
    stock, plain, ours = make_plan(read_mmproj(tiny[1]), SIZES_HW, [0.2], [0.2], stock=True, types=["q4_0"])
    assert case_seconds(PROBE, plain) == case_seconds(PROBE, stock)[:1]
    first, again, second = case_seconds(PROBE, stock)
    assert first == again > second
    first, again, second = case_seconds(PROBE, ours)
    assert first > second > again
    probes = {"q4_0": PROBE}
    assert plan_seconds(probes, [stock, ours], 3) == 3 * plan_seconds(probes, [stock, ours], 1)


def test_short_plans_are_repeated(tiny):
    plan = make_plan(read_mmproj(tiny[1]), SIZES_HW, [0.2], [], stock=False, types=["q4_0"])
    assert repetitions_in_time({"q4_0": PROBE}, plan) == 3
    assert repetitions_in_time({"q4_0": replace(PROBE, tile_s=SHORT_S / 10)}, plan) == 1
