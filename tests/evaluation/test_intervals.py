"""Confidence intervals against published and hand-made values."""

from __future__ import annotations

import numpy as np
import pytest

from hired_gguf.evaluation.intervals import design_effect, ratio_interval, share_interval, wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Newcombe 1998, table I, and the closed form at both ends
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_is_newcombes(right, n, low, high):
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 7, 20, 1000])
def test_wilson_holds_the_share_itself(n):
    for right in range(n + 1):
        low, high = wilson(right, n)
        assert 0 <= low <= right / n <= high <= 1


def test_wilson_of_nothing_is_everything():
    assert wilson(0, 0) == (0.0, 1.0)


def test_independent_questions_have_no_design_effect():
    rng = np.random.default_rng(0)
    right = rng.binomial(4, 0.6, 5000)
    assert design_effect(right.tolist(), [4] * 5000) == pytest.approx(1, abs=0.1)


def test_questions_that_stand_and_fall_together_count_once():
    """Four questions a picture, all right or all wrong: as good as one question a picture."""
    together = [4] * 60 + [0] * 40
    assert design_effect(together, [4] * 100) == pytest.approx(4, rel=0.02)
    assert share_interval(together, [4] * 100) == pytest.approx(wilson(60, 100), abs=0.002)


def test_design_effect_is_never_below_one():
    assert design_effect([1] * 50, [2] * 50) == 1  # more even than chance
    assert design_effect([3, 3], [3, 3]) == 1  # all right: it cannot be told
    assert design_effect([2], [3]) == 1
    assert share_interval([3, 3], [3, 3]) == wilson(6, 6)


def test_ratio_of_equal_counts_is_one():
    assert ratio_interval([1] * 40, [1] * 40) == (1.0, 1.0)


def test_ratio_interval_is_that_of_the_delta_method():
    rng = np.random.default_rng(1)
    full = rng.binomial(5, 0.9, 400)
    kept = rng.binomial(full, 0.8)
    ratio = kept.sum() / full.sum()
    deviation = np.sqrt(np.var(kept - ratio * full, ddof=1) * 400) / full.sum()
    low, high = ratio_interval(kept.tolist(), full.tolist())
    assert (low, high) == pytest.approx((ratio - 1.96 * deviation, ratio + 1.96 * deviation), abs=0.004)
    assert ratio_interval(kept.tolist(), full.tolist()) == (low, high)


def test_ratio_to_a_reference_that_may_be_zero_has_no_interval():
    assert ratio_interval([0, 1], [0, 1]) is None
