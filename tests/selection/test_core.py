"""Tiling, budgets and packing in C++: equal to the NumPy twin, and checked by themselves."""

from __future__ import annotations

import re

import numpy as np
import pytest
import reference
from hypothesis import example, given
from random_attention import THOROUGH, attention, geometries

from hired_gguf import _core
from hired_gguf.errors import BudgetError, InputError
from hired_gguf.selection.selection import LLAVA_NEXT_PINPOINTS

# The NumPy twin


@THOROUGH
@given(geometries())
@example(((55, 176), LLAVA_NEXT_PINPOINTS, 336, 14, True))  # 15 rows, but for rounding
@example(((1, 10000), LLAVA_NEXT_PINPOINTS, 336, 14, True))  # too thin for a token
def test_tiling_equals_the_twin(geometry):
    twin, tiling = reference.tiling(*geometry), _core.make_tiling(*geometry)
    assert tiling.image_size_hw == geometry[0]
    assert (tiling.canvas_hw, tiling.fitted_hw, tiling.offset_yx) == (twin.canvas, twin.fitted, twin.offset)
    assert (tiling.grid, tiling.side, tiling.tokens) == (twin.grid, twin.side, twin.tokens)
    assert (tiling.tile, tiling.patch, tiling.unpad) == geometry[2:]
    assert tiling.capacities == twin.without_padding().sum(1).tolist()


# Errors


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: _core.budget_tokens(0, 5, 576), "[budget] 0 tokens; at least 1 is allowed"),
        (lambda t: _core.budget_tokens(1.5, 5, 576), "[budget] fraction 1.5 is outside (0, 1]"),
        (lambda t: _core.select(*attention(5), t, 5, 1.5, "hired"), "[budget] alpha 1.5 is outside [0, 1]"),
        (
            lambda t: _core.select(*attention(5), t, 5, 0.5, "even"),
            "[budget] allocation 'even'; allowed: hired,",
        ),
        (
            lambda t: _core.pack_order(np.ones((5, 576), bool), t, "no"),
            "[pack] newlines 'no'; allowed: auto,",
        ),
    ],
)
def test_the_core_checks_options_itself(call, text):
    tiling = _core.make_tiling((1000, 1000), LLAVA_NEXT_PINPOINTS, 336, 14)
    with pytest.raises(BudgetError, match=re.escape(text)):
        call(tiling)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((0, 5), [(8, 8)], 8, 4), "[tiling] image_size_hw is 0 x 5; both must be at least 1"),
        (((5, 5), [(8, 8)], 8, 0), "[tiling] patch is 0 pixels; it must be at least 1"),
        (
            ((5, 5), [(8, 8)], 8, 3),
            "[tiling] tile is 8 pixels; it must be a positive multiple of the patch, 3",
        ),
        (
            ((5, 5), [(8, 8)], 0, 4),
            "[tiling] tile is 0 pixels; it must be a positive multiple of the patch, 4",
        ),
        (((5, 5), [(8, 12)], 8, 4), "[tiling] pinpoint 8 x 12 must be positive multiples of the tile, 8"),
        (((5, 5), [(-8, 8)], 8, 4), "[tiling] pinpoint -8 x 8 must be positive multiples of the tile, 8"),
        (((5, 5), [(2**30, 2**30)], 8, 4), "has more than 2147483647 visual tokens"),
        (((5, 5), [], 2**30, 1), "at most 46340 patches of 1 are allowed along an edge"),
    ],
)
def test_tilings_that_do_not_exist(arguments, text):
    with pytest.raises(InputError, match=re.escape(text)):
        _core.make_tiling(*arguments)


def test_a_mask_of_the_wrong_shape():
    tiling = _core.make_tiling((1000, 1000), LLAVA_NEXT_PINPOINTS, 336, 14)
    with pytest.raises(InputError, match=re.escape("[pack] mask is [5, 16]; [5, 576] is needed")):
        _core.pack_order(np.ones((5, 16), bool), tiling, "keep")
