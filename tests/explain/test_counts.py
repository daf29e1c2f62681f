"""Tokens of each partition: allotted, kept, and how many there are."""

from __future__ import annotations

import pytest
from drawings import selection_of

from hired_gguf.explain.counts import count_table, partition_counts


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
def test_counts_are_those_of_the_selection(allocation):
    selection = selection_of((70, 110), allocation=allocation, budget=0.4)
    counts = partition_counts(selection)
    assert [count.allotted for count in counts] == selection.counts.tolist()
    assert sum(count.kept for count in counts) == selection.visual_tokens
    if allocation != "official":
        assert [count.kept for count in counts] == selection.counts.tolist()
        assert [count.patches for count in counts] == selection.tiling.capacities
    assert count_table(selection)[-1][-1] == str(selection.visual_tokens)


def test_official_budget_that_padding_uses_up_shows():
    selection = selection_of((480, 640), tile=336, allocation="official")
    counts = partition_counts(selection)
    assert all(count.kept <= count.allotted for count in counts)
    assert sum(count.kept for count in counts) < sum(count.allotted for count in counts)
