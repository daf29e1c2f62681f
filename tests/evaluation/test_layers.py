"""Layers by other numbers."""

from __future__ import annotations

from hired_gguf.evaluation.layers import distinct


def test_a_layer_by_two_numbers_is_one():
    assert distinct([(0, -1), (0, 2), (2, -1), (-1, 2), (1, 1)], 3) == [(0, -1), (2, -1), (1, 1)]
