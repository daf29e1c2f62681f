"""How attention becomes brightness."""

from __future__ import annotations

import numpy as np
from golden_pair import photo

from hired_gguf.explain.shade import strengths


def test_attention_is_what_the_selection_was_made_from(encoder):
    encoding = encoder.encode(photo("rocket"), features=False)
    selection = encoding.select(0.3)
    for mean, heads in (
        (selection.attention_first, encoding.attention_first),
        (selection.attention_last, encoding.attention_last),
    ):
        np.testing.assert_allclose(mean, heads[:, :, 1:].mean(axis=1), rtol=1e-5)
    for attention, kept, padding in zip(
        selection.attention_last, selection.packed, selection.padding, strict=True
    ):
        assert not (kept & padding).any()
        others = attention[~kept & ~padding]
        assert not kept.any() or not others.size or attention[kept].min() >= others.max()


def test_strengths_rise_with_attention_up_to_one():
    attention = np.random.default_rng(0).random((3, 64))
    padding = np.zeros_like(attention, bool)
    padding[1, :32] = padding[2] = True
    shown = strengths(attention, padding)
    for row, values in zip(shown[:2], attention, strict=False):
        assert (np.diff(row[np.argsort(values)]) >= 0).all()
        assert row.max() == 1
    assert not shown[2].any()
    assert not strengths(np.zeros((1, 4)), np.zeros((1, 4), bool)).any()
