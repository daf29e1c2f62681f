"""Tiling, budgets, selection and packing against the released code's numbers and against the NumPy twin.

golden/official_selection.npz: 18 cases of the HiRED authors' released selection code on random attention.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from paths import GOLDEN_FOLDER
from random_attention import QUICK, THOROUGH, attention, geometries

from hired_gguf import _core
from hired_gguf.errors import BudgetError, HiredError, InputError, NumericError
from hired_gguf.selection.budget import TokenBudget
from hired_gguf.selection.selection import select_tokens, select_with_tiling

GOLDEN = GOLDEN_FOLDER / "official_selection.npz"


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


alphas = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))


@st.composite
def budgets(draw, total):
    """A count, or a fraction that is at least one token."""
    if draw(st.booleans()):
        return draw(st.sampled_from([1, total]) | st.integers(1, total))
    return draw(st.just(1.0) | st.floats(min(1.0, 1.01 / total), 1.0))


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


# Errors


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


def test_every_error_has_the_base_and_the_builtin_that_callers_expect():
    assert issubclass(InputError, (HiredError, ValueError))
    assert issubclass(BudgetError, ValueError)
    assert issubclass(NumericError, ArithmeticError)
