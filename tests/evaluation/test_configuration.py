"""What is compared: lists of configurations, none of them twice."""

from __future__ import annotations

import pytest
from evaluated import NOTHING

from hired_gguf import BudgetError, InputError
from hired_gguf.evaluation import Configuration, cross_product, one_at_a_time
from hired_gguf.selection.budget import ALLOCATIONS


def test_default_varies_one_option_at_a_time():
    found = one_at_a_time()
    assert len(found) == len(set(found)) == 24
    middle = Configuration()
    assert middle in found
    for one in (c for c in found if c.selection == "cls" and c.token_budget.budget == 0.2):
        changed = [
            name
            for name in ("allocation", "newlines", "alpha", "layers")
            if one.as_dict()[name] != middle.as_dict()[name]
        ]
        assert len(changed) <= 1


def test_lists_give_every_combination_once():
    found = cross_product((1.0, 0.2), tuple(ALLOCATIONS), ("cls", "random"), ("drop", "keep"), (0.25, 0.5))
    small = [c for c in found if c.token_budget.budget == 0.2]
    assert len(small) == 2 * 2 * (2 + 2 + 3)  # uniform, globalcom2 and joint have no alpha
    full = [c for c in found if c.full]
    rules = {c.token_budget.newlines for c in full}
    assert rules == {"drop", "keep"}  # all that a full budget leaves to choose
    assert len(full) == 2
    assert len(found) == len(set(found)) == 28 + 2 + 8


def test_no_picture_is_one_configuration():
    assert cross_product((1.0, 0.2), selections=("none",)) == [NOTHING]


@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (
            InputError,
            {"selection": "best"},
            r"selection is 'best'; allowed: cls, .*, random, none",
        ),
        (BudgetError, {"budget": 0.0}, r"budget is 0.0"),
        (BudgetError, {"allocation": "mine"}, r"allocation is 'mine'"),
        (BudgetError, {"alpha": 2}, r"alpha is 2"),
    ],
)
def test_impossible_configurations(error, options, message):
    with pytest.raises(error, match=message):
        Configuration(**options)


def test_layers_are_those_of_hired_unless_given():
    assert Configuration().layers == (0, -1)
    assert Configuration(layers=(0, -1)) == Configuration()
    assert Configuration(layers=[-1, -1]) == Configuration(layers=(-1, -1))
    assert cross_product(layers=[(0, -1)]) == cross_product()


def test_other_layers_are_named():
    assert Configuration(0.25).label == "0.25, hired, cls"
    other = Configuration(0.25, allocation="official", newlines="keep", alpha=0.75, layers=(-1, -1))
    assert other.label == "0.25, official, cls, newlines keep, alpha 0.75, layers -1:-1"


@pytest.mark.parametrize("value", [(0,), (0, 1, 2), (0, 0.5), (True, 1), "01", 3, None])
def test_layers_are_two_whole_numbers(value):
    with pytest.raises(InputError, match=r"layers is .*; allowed: two whole numbers, the layer that allots"):
        Configuration(layers=value)


def test_what_does_not_use_a_layer_does_not_vary_it():
    found = cross_product((1.0, 0.2), ALLOCATIONS, ("cls", "random", "none"), layers=[(0, -1), (1, 1)])
    by = {
        (allocation, selection): [
            c.layers
            for c in found
            if (c.token_budget.budget, c.token_budget.allocation, c.selection) == (0.2, allocation, selection)
        ]
        for allocation in ALLOCATIONS
        for selection in ("cls", "random")
    }
    for allocation in ("hired", "official"):
        assert by[allocation, "cls"] == [(0, -1), (1, 1)]
        assert by[allocation, "random"] == [(0, -1), (1, -1)]  # lots pick
    assert by["uniform", "cls"] == [(0, -1), (0, 1)]  # nothing allots
    assert by["uniform", "random"] == [(0, -1)]
    assert [c.layers for c in found if c.full or c.selection == "none"] == [(0, -1)] * 2


def test_default_list_has_two_other_pairs_of_layers():
    found = {c.layers: c for c in one_at_a_time() if c.layers != (0, -1)}
    assert found == {pair: Configuration(0.2, layers=pair) for pair in ((-1, -1), (0, -2))}
    assert one_at_a_time(3) == one_at_a_time(23) == one_at_a_time()


@pytest.mark.parametrize(("executed", "left"), [(2, [(-1, -1), (0, -2)]), (1, [])])
def test_default_list_leaves_out_layers_that_are_not_there(executed, left):
    """And (-1, -1) where the only layer is the first and the last."""
    found = one_at_a_time(executed)
    assert [c.layers for c in found if c.layers != (0, -1)] == left
    assert len(found) == 22 + len(left)
