"""Random tokens: as many in each partition, drawn by seed and picture."""

from __future__ import annotations

import numpy as np
import pytest
from golden_pair import photo

from hired_gguf import TokenBudget
from hired_gguf.evaluation.selectors import RandomTokens
from hired_gguf.selection.budget import ALLOCATIONS


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("budget", [0.4, 7])
def test_random_selection_keeps_as_many_in_each_partition(encoder, allocation, budget):
    encoding = encoder.encode(photo("rocket"))
    config = TokenBudget(budget, allocation=allocation)
    ours, lots = encoding.select_with(config), RandomTokens("rocket", 1)(encoding, config)
    assert lots.counts.tolist() == ours.counts.tolist() == lots.mask.sum(axis=1).tolist()
    assert not np.array_equal(lots.mask, ours.mask)
    if allocation != "official":  # which takes padding for tokens, then leaves it out
        assert lots.visual_tokens == ours.visual_tokens
        assert not (lots.mask & lots.padding).any()


def test_random_selection_is_drawn_by_seed_and_picture(encoder):
    encoding, config = encoder.encode(photo("coffee")), TokenBudget(0.3)
    masks = [
        RandomTokens(*which)(encoding, config).mask for which in (("a", 1), ("a", 1), ("a", 2), ("b", 1))
    ]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert not np.array_equal(masks[0], masks[3])


def test_random_selection_is_fair(encoder):
    """Over many seeds every token of the full image is kept as often as any other."""
    encoding, config = encoder.encode(photo("coffee")), TokenBudget(0.5, allocation="uniform")
    masks = np.array([RandomTokens("x", seed)(encoding, config).mask[0] for seed in range(400)])
    assert np.abs(masks.mean(axis=0) - masks.mean()).max() < 5 * np.sqrt(0.25 / 400)
