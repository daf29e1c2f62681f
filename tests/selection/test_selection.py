"""Tiling, budgets, selection and packing against the released code's numbers and against the NumPy twin.

golden/official_selection.npz: 18 cases of the HiRED authors' released selection code on random attention.
"""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paths import GOLDEN_FOLDER

from hired_gguf import _core
from hired_gguf.errors import BudgetError, HiredError, InputError, NumericError
from hired_gguf.selection.budget import TokenBudget
from hired_gguf.selection.selection import LLAVA_NEXT_PINPOINTS, select_tokens, select_with_tiling

GOLDEN = GOLDEN_FOLDER / "official_selection.npz"
THOROUGH = settings(max_examples=500, deadline=None, derandomize=True, database=None)
QUICK = settings(THOROUGH, max_examples=100)


def attention(partitions, heads=2, tokens=576, seed=0, highest=64):
    rng = np.random.default_rng(seed)
    return rng.integers(0, highest + 1, (2, partitions, heads, tokens)).astype(np.float32) / 1024


# The released code


@pytest.mark.parametrize("case", range(18))
def test_official_allocation_equals_the_released_code(case):
    with np.load(GOLDEN) as golden:
        prefix = f"case{case:02d}_"
        read = {name.removeprefix(prefix): golden[name] for name in golden.files if name.startswith(prefix)}
    selection = select_tokens(
        read["attn_layer0"],
        read["attn_layer22"],
        tuple(read["image_size_hw"].tolist()),
        budget=float(read["budget_rate"]),
        alpha=float(read["alpha"]),
        allocation="official",
    )
    np.testing.assert_array_equal(selection.mask, read["mask"])
    np.testing.assert_array_equal(selection.counts, read["mask"].sum(1))
    np.testing.assert_array_equal(selection.packing, read["packed"])


# The NumPy twin

lengths = st.one_of(st.integers(1, 60), st.integers(1, 2000), st.integers(1, 20000))


@st.composite
def geometries(draw):
    """(image, pinpoints, tile, patch, unpad)."""
    image = (draw(lengths), draw(lengths))
    unpad = draw(st.booleans())
    if draw(st.integers(0, 2)) == 0:
        return image, LLAVA_NEXT_PINPOINTS, 336, 14, unpad
    patch, side = draw(st.integers(1, 14)), draw(st.integers(1, 6))
    tile = patch * side
    grids = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=5))
    return image, [(rows * tile, cols * tile) for rows, cols in grids], tile, patch, unpad


alphas = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))


@st.composite
def budgets(draw, total):
    """A count, or a fraction that is at least one token."""
    if draw(st.booleans()):
        return draw(st.sampled_from([1, total]) | st.integers(1, total))
    return draw(st.just(1.0) | st.floats(min(1.0, 1.01 / total), 1.0))


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


@THOROUGH
@given(st.data(), geometries(), alphas, st.sampled_from(["auto", "keep", "drop"]))
def test_hired_equals_the_twin(data, geometry, alpha, newlines):
    check_against_twin(data, geometry, alpha, newlines, "hired")


@QUICK
@given(st.data(), geometries(), alphas, st.sampled_from(["auto", "keep", "drop"]))
def test_uniform_equals_the_twin(data, geometry, alpha, newlines):
    check_against_twin(data, geometry, alpha, newlines, "uniform")


def check_against_twin(data, geometry, alpha, newlines, allocation):
    image, pinpoints, tile, patch, unpad = geometry
    twin = reference.tiling(*geometry)
    total = twin.partitions * twin.tokens
    budget = data.draw(budgets(total))
    first, last = attention(
        twin.partitions,
        heads=data.draw(st.integers(1, 3)),
        tokens=twin.tokens,
        seed=data.draw(st.integers(0, 2**16)),
        highest=data.draw(st.sampled_from([0, 1, 3, 64])),
    )
    selection = select_tokens(
        first,
        last,
        image,
        pinpoints,
        tile=tile,
        patch=patch,
        budget=budget,
        alpha=alpha,
        allocation=allocation,
        newlines=newlines,
        unpad=unpad,
    )
    tokens = budget if isinstance(budget, int) else int(budget * total)
    mask, counts = reference.select(twin, first, last, tokens, alpha=alpha, allocation=allocation)
    allowed = twin.without_padding()

    assert selection.counts.tolist() == counts
    np.testing.assert_array_equal(selection.mask, mask)
    assert selection.packing.tolist() == reference.pack(twin, mask, newlines)
    assert len(selection.order) == selection.mask.sum() == min(tokens, allowed.sum())
    assert not (selection.mask & ~allowed).any()
    assert selection.full == (tokens >= allowed.sum())
    assert selection.visual_tokens_full == len(reference.pack(twin, allowed, "keep"))


@QUICK
@given(geometries(), st.integers(0, 2**16), alphas)
def test_official_never_exceeds_the_budget(geometry, seed, alpha):
    image, pinpoints, tile, patch, unpad = geometry
    tiling = _core.make_tiling(image, pinpoints, tile, patch, unpad)
    first, last = attention(tiling.partitions, tokens=tiling.tokens, seed=seed)
    for budget in (1, tiling.partitions * tiling.tokens):
        config = TokenBudget(budget, alpha=alpha, allocation="official", newlines="drop")
        assert select_with_tiling(first, last, tiling, config).visual_tokens <= budget


# Whole pictures


def test_full_budget_is_every_token_and_a_newline_for_each_row():
    selection = select_tokens(*attention(5), (1000, 1000), budget=1.0)
    assert selection.full
    assert selection.visual_tokens == selection.visual_tokens_full == 576 + 48 * 49
    assert selection.counts.tolist() == [576] * 5
    assert selection.packing[576 + 48] == -1


def test_a_fifth_is_exactly_576_rows():
    selection = select_tokens(*attention(5), (1000, 1000))
    assert selection.visual_tokens == len(selection.order) == 576
    assert selection.counts[0] == 288
    assert not selection.full


def test_one_token():
    selection = select_tokens(*attention(5), (640, 480), budget=1)
    assert selection.visual_tokens == 1
    assert selection.counts.sum() == 1


def test_a_single_partition_keeps_the_top_tokens():
    first, last = attention(1)
    selection = select_tokens(first, last, (640, 480), [], budget=100)
    best = np.argsort(-last[0].sum(0), kind="stable")[:100]
    assert selection.packing.tolist() == sorted(best.tolist())
    assert selection.visual_tokens_full == 576


def test_more_attention_brings_more_tokens():
    first, last = attention(5)
    first[0].reshape(-1, 24, 24)[:, 12:, 12:] += 1
    counts = select_tokens(first, last, (1000, 1000)).counts
    assert counts[4] == max(counts[1:])


def test_equal_input_gives_equal_output_in_any_float_type_and_layout():
    first, last = attention(5)
    one = select_tokens(first, last, (640, 480))
    for again in (
        select_tokens(first, last, (640, 480)),
        select_tokens(first.astype(np.float64), last.astype(np.float16), (640, 480)),
        select_tokens(np.asfortranarray(first), last.tolist(), (640, 480)),
    ):
        np.testing.assert_array_equal(one.mask, again.mask)
        np.testing.assert_array_equal(one.packing, again.packing)


def test_numpy_scalars_are_numbers():
    config = TokenBudget(np.int64(5), alpha=np.float32(0.5))
    assert (config.budget, config.alpha) == (5, 0.5)
    assert type(config.budget) is int
    assert type(TokenBudget(np.float32(0.5)).budget) is float
    assert type(TokenBudget(Fraction(1, 5)).budget) is float


# Errors


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"budget": 0},
            "[config] budget is 0; allowed: a number of tokens from 1 (an int), or a fraction in",
        ),
        ({"budget": -1}, "budget is -1;"),
        ({"budget": 2**31}, "budget is 2147483648;"),
        ({"budget": 0.0}, "budget is 0.0;"),
        ({"budget": 1.5}, "budget is 1.5;"),
        ({"budget": float("nan")}, "budget is nan;"),
        ({"budget": True}, "budget is True;"),
        ({"budget": "20%"}, "budget is '20%';"),
        ({"budget": None}, "budget is None;"),
        ({"alpha": -0.1}, "[config] alpha is -0.1; allowed: a number in [0, 1]"),
        ({"alpha": float("nan")}, "alpha is nan;"),
        ({"alpha": False}, "alpha is False;"),
        ({"alpha": None}, "alpha is None;"),
        ({"allocation": "even"}, "[config] allocation is 'even'; allowed: hired, official, uniform"),
        ({"newlines": True}, "[config] newlines is True; allowed: auto, keep, drop"),
    ],
)
def test_options_that_are_not_allowed(options, text):
    with pytest.raises(BudgetError, match=re.escape(text)):
        TokenBudget(**options)


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (3000, "[budget] 3000 tokens exceed the 2880 there are"),
        (0.0001, "[budget] fraction 0.0001 of 2880 tokens is less than one token"),
    ],
)
def test_budgets_that_the_picture_does_not_allow(budget, text):
    with pytest.raises(BudgetError, match=re.escape(text)):
        select_tokens(*attention(5), (1000, 1000), budget=budget)


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


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ((4, 2, 576), (5, 2, 576), "[select] attn_first is [4, 2, 576]; [5, heads, 576] is needed"),
        ((5, 2, 576), (5, 2, 577), "[select] attn_last is [5, 2, 577]; [5, heads, 576] is needed"),
        ((5, 2, 576), (5, 3, 576), "[select] attn_first has 2 heads, attn_last 3"),
        ((5, 0, 576), (5, 0, 576), "[select] attn_first has 0 heads; at least 1 is needed"),
        (
            (5, 576),
            (5, 2, 576),
            "[select] attn_first is float64 [5, 576]; floats [partitions, heads, tokens]",
        ),
    ],
)
def test_attention_of_the_wrong_shape(first, last, text):
    with pytest.raises(InputError, match=re.escape(text)):
        select_tokens(np.zeros(first), np.zeros(last), (1000, 1000))


def test_attention_of_the_wrong_type():
    with pytest.raises(InputError, match=re.escape("[select] attn_last is int64 [5, 2, 576]; floats")):
        select_tokens(np.zeros((5, 2, 576)), np.zeros((5, 2, 576), np.int64), (1000, 1000))


@pytest.mark.parametrize(
    ("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e300, "inf")]
)
@pytest.mark.parametrize("name", ["attn_first", "attn_last"])
def test_attention_that_is_not_finite(name, value, shown):
    arrays = dict(zip(("attn_first", "attn_last"), attention(5).astype(np.float64), strict=True))
    arrays[name][3, 1, 7] = value
    text = f"[select] {name} at partition 3, head 1, token 7 is {shown}; attention must be finite"
    with pytest.raises(NumericError, match=re.escape(text)):
        select_tokens(**arrays, image_size_hw=(1000, 1000))


def test_attention_that_is_negative():
    first, last = attention(5)
    last[2, 0, 9] = -0.5
    text = "attn_last at partition 2, head 0, token 9 is -0.5; attention must not be negative"
    with pytest.raises(InputError, match=re.escape(text)):
        select_tokens(first, last, (1000, 1000))


def test_a_mask_of_the_wrong_shape():
    tiling = _core.make_tiling((1000, 1000), LLAVA_NEXT_PINPOINTS, 336, 14)
    with pytest.raises(InputError, match=re.escape("[pack] mask is [5, 16]; [5, 576] is needed")):
        _core.pack_order(np.ones((5, 16), bool), tiling, "keep")


def test_every_error_has_the_base_and_the_builtin_that_callers_expect():
    assert issubclass(InputError, (HiredError, ValueError))
    assert issubclass(BudgetError, ValueError)
    assert issubclass(NumericError, ArithmeticError)
