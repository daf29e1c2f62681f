"""The formula of a prefill: its numbers come back from batches that follow it."""

from __future__ import annotations

import pytest

from hired_gguf.bench.prefill_cost import Batch, PrefillCost, fit_prefill

COST = PrefillCost(fixed=0.3, row=0.02, attention=6e-6, batch=512)
PLACES = ((64, 0), (512, 0), (512, 512), (64, 1024))


def timed(places, cost=COST):
    return [Batch(*place, cost.seconds(*place)) for place in places]


def test_a_batch_attends_to_the_cache_in_steps_up_to_its_end():
    assert COST.seconds(64) == pytest.approx(0.3 + 64 * 0.02 + 64 * 256 * 6e-6)
    assert COST.seconds(64, 1000) == pytest.approx(0.3 + 64 * 0.02 + 64 * 1280 * 6e-6)
    assert COST.seconds(0) == 0


def test_a_prefill_is_as_many_batches_as_it_takes():
    assert COST.seconds(1152) == pytest.approx(
        COST.seconds(512) + COST.seconds(512, 512) + COST.seconds(128, 1024)
    )
    assert COST.seconds(2928) > 2928 / 576 * COST.seconds(576)


@pytest.mark.parametrize("places", [PLACES, (PLACES[0], PLACES[1], (64, 512))])
def test_the_numbers_come_back(places):
    found = fit_prefill(timed(places), 512)
    assert (found.fixed, found.row, found.attention) == pytest.approx((0.3, 0.02, 6e-6))
    assert found.batch == 512


def test_each_batch_counts_by_its_relative_error():
    noisy = [
        batch._replace(seconds=batch.seconds * factor)
        for batch, factor in zip(timed(PLACES), (1.03, 0.97, 1.03, 0.97), strict=True)
    ]
    assert fit_prefill(noisy, 512).seconds(2928) == pytest.approx(COST.seconds(2928), rel=0.15)


def test_no_number_is_negative():
    """Noise can make far batches look cheaper than near ones."""
    found = fit_prefill([Batch(64, 0, 1.0), Batch(512, 0, 7.0), Batch(64, 512, 0.9)], 512)
    assert found.attention == 0
    assert min(found.fixed, found.row) >= 0
    assert found.seconds(576) == pytest.approx(0.95 / 64 * 576, rel=0.1)
