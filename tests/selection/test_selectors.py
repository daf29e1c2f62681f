"""Every selector against its NumPy twin, exact budgets for every combination of names, ties and errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
import reference
import selectors_twin as twin
from hypothesis import given
from hypothesis import strategies as st
from random_attention import QUICK, attention

from hired_gguf import BudgetError, InputError, NumericError, _core, select_tokens
from hired_gguf.selection.policies import ALLOCATIONS, POLICIES, SELECTIONS

PAIRS = [(a, s) for a in ALLOCATIONS for s in SELECTIONS]


@st.composite
def pictures(draw):
    """The arguments of a tiling with few tokens, its twin, and random evidence of that shape."""
    patch, side = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    tile = patch * side
    grids = draw(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 3)), max_size=2))
    image = (draw(st.integers(1, 60)), draw(st.integers(1, 60)))
    pinpoints = [(rows * tile, cols * tile) for rows, cols in grids]
    t = reference.tiling(image, pinpoints, tile, patch, True)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.integers(2, 40))
    shared = rng.standard_normal(width) * draw(st.sampled_from([0, 1, 3]))
    rows = rng.standard_normal((t.partitions, t.tokens, width)) + shared
    question = rng.standard_normal((draw(st.integers(0, 6)), width))
    attended = rng.random((2, t.partitions, 2, t.tokens), np.float32)
    attended = np.ceil(attended * 1024) / 1024  # whole numbers for the twin's exact shares
    return (image, pinpoints, tile, patch), t, attended, rows.astype("f4"), question.astype("f4")


def choose(geometry, attended, budget, **options):
    image, pinpoints, tile, patch = geometry
    return select_tokens(*attended, image, pinpoints, tile=tile, patch=patch, budget=budget, **options)


@pytest.mark.parametrize("allocation", ["hired", "uniform", "globalcom2", "joint"])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_selector_equals_its_twin(selection, allocation):
    @QUICK
    @given(st.data(), pictures())
    def check(data, picture):
        geometry, t, attended, rows, question = picture
        budget = data.draw(st.integers(1, min(40, t.partitions * t.tokens)))
        options = {"allocation": allocation, "selection": selection, "rows": rows, "question": question}
        found = choose(geometry, attended, budget, **options)
        mask, merged = twin.select(t, *attended, budget, alpha=0.5, core=found.mask, **options)
        np.testing.assert_array_equal(found.mask, mask)
        np.testing.assert_array_equal(found.counts, mask.sum(1))
        expected = merged if (merged >= 0).any() else None
        if expected is None:
            assert found.merged is None or (found.merged == -1).all()
        else:
            np.testing.assert_array_equal(found.merged, expected)

    check()


@pytest.mark.parametrize(("allocation", "selection"), PAIRS)
def test_budgets_are_exact_and_padding_stays_out(allocation, selection):
    @QUICK
    @given(st.data(), pictures())
    def check(data, picture):
        geometry, t, attended, rows, question = picture
        budget = data.draw(st.integers(1, t.partitions * t.tokens))
        options = {"allocation": allocation, "selection": selection, "rows": rows, "question": question}
        found = choose(geometry, attended, budget, **options)
        allowed = t.without_padding()
        np.testing.assert_array_equal(found.counts, found.mask.sum(1))
        if allocation == "official":
            assert found.visual_tokens <= budget
        else:
            assert found.mask.sum() == min(budget, allowed.sum())
            assert not (found.mask & ~allowed).any()
        again = choose(geometry, attended, budget, **options)
        assert found.digest == again.digest
        np.testing.assert_array_equal(found.mask, again.mask)

    check()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_its_fields(policy):
    arrays, rows = attention(5), np.random.default_rng(0).standard_normal((5, 576, 8))
    named = select_tokens(*arrays, (640, 480), policy=policy, rows=rows)
    spelt = select_tokens(*arrays, (640, 480), **POLICIES[policy], rows=rows)
    np.testing.assert_array_equal(named.packing, spelt.packing)


# What selectors promise by themselves


def single(selection, rows, k, attended=None, question=None):
    """The tokens that stay of one partition of 16."""
    attended = np.ones((2, 1, 1, 16)) if attended is None else np.tile(attended, (2, 1, 1, 1))
    picked = select_tokens(
        *attended, (56, 56), [], tile=56, budget=k, selection=selection, rows=rows, question=question
    )
    return np.flatnonzero(picked.mask)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_equal_tokens_go_by_the_lower_index(selection):
    rows = np.repeat(np.eye(4)[None], 4, axis=1).reshape(1, 16, 4) + 0.25
    kept = single(selection, rows, 5, question=np.eye(4))
    groups = [int(token) % 4 for token in kept]
    for group in set(groups):
        taken = sorted(int(token) for token in kept if token % 4 == group)
        assert taken == [group + 4 * i for i in range(len(taken))]


@pytest.mark.parametrize("selection", ["scope", "cen-div", "cen-dpp", "mmtok"])
def test_what_is_alike_is_kept_once(selection):
    """Four kinds of tokens, four times each: four picks are one of each kind."""
    kinds = np.random.default_rng(1).standard_normal((4, 32))
    rows = np.repeat(kinds, 4, axis=0)[None]
    attended = np.linspace(1, 1.1, 16).reshape(1, 1, 16)
    kept = single(selection, rows, 4, attended, question=kinds[:1])
    assert len({int(token) // 4 for token in kept}) >= 3


def test_mmtok_keeps_what_the_question_names():
    rows = np.random.default_rng(2).standard_normal((1, 16, 32))
    for named in (3, 11):
        assert named in single("mmtok", rows, 2, question=rows[0, [named]])


def test_visionzip_merges_what_it_drops():
    rows = np.random.default_rng(3).standard_normal((1, 16, 8)).astype("f4")
    attended = np.linspace(1, 2, 16).reshape(1, 1, 16)
    picked = select_tokens(
        *np.tile(attended, (2, 1, 1, 1)), (56, 56), [], tile=56, budget=10, selection="visionzip", rows=rows
    )
    merged = picked.merged.ravel()
    assert set(np.flatnonzero(picked.mask)) == {0, 4, *range(8, 16)}  # two contextual, eight dominant
    assert set(merged[[1, 2, 3, 5, 6, 7]]) <= {0, 4}
    assert (merged[[0, 4, *range(8, 16)]] == -1).all()


def test_joint_gives_a_partition_what_it_is_worth():
    first, last = attention(5)
    last[2] += 1
    counts = select_tokens(first, last, (1000, 1000), allocation="joint", budget=576).counts
    assert counts.tolist() == [0, 0, 576, 0, 0]


def test_globalcom2_leans_on_the_last_layer():
    first, last = attention(5) + 1 / 64
    last[0].reshape(-1, 24, 24)[:, 12:, 12:] *= 1.2
    counts = select_tokens(first, last, (1000, 1000), allocation="globalcom2").counts
    assert counts[4] == max(counts[1:])
    assert counts.sum() == 576


# Errors


@pytest.mark.parametrize("selection", [name for name, choice in SELECTIONS.items() if "rows" in choice.needs])
def test_rows_that_are_missing(selection):
    text = f"[select] selection '{selection}' needs rows: the projected row of each token, [P, N, D]"
    with pytest.raises(InputError, match=re.escape(text)):
        select_tokens(*attention(5), (1000, 1000), selection=selection)


def test_a_question_that_is_missing():
    text = "[select] selection 'mmtok' needs question: the embedding of each of its words, [words, D]"
    with pytest.raises(InputError, match=re.escape(text)):
        select_tokens(*attention(5), (1000, 1000), selection="mmtok", rows=np.zeros((5, 576, 4)))


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"rows": np.zeros((5, 575, 4))}, "[select] rows is [5, 575, 4]; [5, 576, D] is needed"),
        (
            {"rows": np.zeros((5, 576, 0)), "question": np.zeros((1, 0))},
            "[select] selection 'mmtok' needs rows: the projected row of each token",
        ),
        (
            {"rows": np.zeros((5, 576))},
            "[select] rows is float64 [5, 576]; floats [partitions, tokens, wid",
        ),
        ({"rows": np.zeros((5, 576, 4), int)}, "[select] rows is int64 [5, 576, 4]; floats"),
        ({"question": np.zeros((3, 5))}, "[select] question is [3, 5]; [words, 4] is needed"),
        ({"question": np.zeros(4)}, "[select] question is float64 [4]; floats [words, width] are needed"),
    ],
)
def test_evidence_of_the_wrong_shape(arrays, text):
    arrays = {"rows": np.zeros((5, 576, 4)), "question": np.zeros((1, 4)), **arrays}
    with pytest.raises(InputError, match=re.escape(text)):
        select_tokens(*attention(5), (1000, 1000), selection="mmtok", **arrays)


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (1e19, "1e+38")])
def test_rows_that_cannot_be_compared(value, shown):
    rows = np.ones((5, 576, 1))
    rows[3, 7] = value
    text = f"[select] the row of partition 3, token 7 has the squared length {shown}; 0 to 1e+37 is allowed"
    with pytest.raises(NumericError, match=re.escape(text)):
        select_tokens(*attention(5), (1000, 1000), selection="cen-div", rows=rows)
    sound, words = np.ones((5, 576, 1)), np.array([[1.0], [value]])
    with pytest.raises(NumericError, match="word 1 of the question has the squared length"):
        select_tokens(*attention(5), (1000, 1000), selection="mmtok", rows=sound, question=words)


def test_the_core_checks_the_name_of_a_selection():
    tiling = _core.make_tiling((1000, 1000), [], 336, 14)
    text = "[select] selection 'mine'; allowed: cls, scope, cen-div, cen-dpp, visionzip, mmtok"
    with pytest.raises(BudgetError, match=re.escape(text)):
        _core.select(*attention(1), tiling, 5, 0.5, "hired", "mine")


def test_rows_may_be_zero_and_a_question_empty():
    for selection in SELECTIONS:
        rows = np.zeros((5, 576, 4))
        found = select_tokens(
            *attention(5), (1000, 1000), selection=selection, rows=rows, question=np.zeros((0, 4))
        )
        assert found.visual_tokens == 576
