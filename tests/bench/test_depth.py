"""The whole model's seconds, computed from a few layers."""

from __future__ import annotations

import pytest
from bench_runs import a_run

from hired_gguf.bench.depth import depth_facts, full_depth
from hired_gguf.synthetic.pair_files import pair_bytes
from hired_gguf.synthetic.shapes import SHAPES
from hired_gguf.synthetic.synthesize import synthesize

DEPTH = {"layers": 2, "whole": 8, "token_factor": {"q4_0": 3.0}}


def test_layers_are_counted_and_a_token_is_compared_by_its_bytes(tmp_path):
    """Against the files of the whole model: what both read once, and what no token reads, aside."""
    cut, _ = synthesize("small", tmp_path, "q8_0", layers=2)
    whole = SHAPES["small"].text.layers
    facts = depth_facts({"q8_0": cut}, whole)
    assert (facts["layers"], facts["whole"]) == (2, 8)
    six_layers = pair_bytes("small", "q8_0") - pair_bytes("small", "q8_0", layers=2)
    output = SHAPES["small"].text.vocabulary * SHAPES["small"].text.width * 34 // 32
    expected = (six_layers / 6 * 8 + output) / (six_layers / 6 * 2 + output)
    assert facts["token_factor"]["q8_0"] == pytest.approx(expected)
    assert 1 < facts["token_factor"]["q8_0"] < 4


def test_only_what_has_text_layers_grows():
    (row,) = full_depth([a_run(ttft_s=4.5)], DEPTH)
    assert (row["type"], row["engine"], row["budget"], row["kernel"]) == ("q4_0", "ours", 0.2, "ggml")
    assert (row["encode_s"], row["select_s"]) == (1.0, 0.0)
    assert (row["prefill_visual_s"], row["prefill_text_s"]) == (8.0, 4.0)
    assert row["ttft_s"] == pytest.approx(1.0 + 8.0 + 4.0 + 0.5)
    assert row["token_s"] == pytest.approx(0.15)
    assert row["total_s"] == pytest.approx(13.5 + 14 * 0.15)


def test_medians_of_first_questions_count():
    runs = [a_run(repetition=n, prefill_visual_s=n, question=q) for n in (1.0, 2.0, 9.0) for q in (1, 2)]
    (row,) = full_depth(runs, DEPTH)
    assert row["prefill_visual_s"] == 8.0
