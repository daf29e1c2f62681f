"""A token budget travels whole: what is said of it, in which order, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
from random_attention import attention

from hired_gguf import BudgetError, TokenBudget, select_tokens
from hired_gguf.cli import build_parser
from hired_gguf.native.load import core
from hired_gguf.selection.budget import BUDGET_OPTIONS, DEFAULT
from hired_gguf.selection.policies import ALLOCATIONS, NEWLINES, POLICIES, SELECTIONS

HALF = TokenBudget(0.5, alpha=0.25, newlines="keep")


def test_a_number_keeps_the_other_fields():
    assert HALF.changed(budget=7) == TokenBudget(7, alpha=0.25, newlines="keep")
    assert TokenBudget.of(7) == TokenBudget(7)


def test_a_whole_budget_replaces_all_of_them():
    assert DEFAULT.changed(budget=HALF) == TokenBudget.of(HALF) == HALF
    assert TokenBudget.of(HALF, alpha=1.0) == TokenBudget(0.5, alpha=1.0, newlines="keep")


def test_tokens_are_a_number_and_never_a_fraction():
    assert HALF.changed(tokens=1).budget == 1
    assert type(HALF.changed(tokens=1).budget) is int
    assert TokenBudget.of(HALF, tokens=640).budget == 640
    for wrong in (1.0, 0, True, "640", 2**31):
        with pytest.raises(BudgetError, match=r"tokens is .* allowed: a number of visual tokens from 1"):
            HALF.changed(tokens=wrong)


def test_budget_and_tokens_are_one_thing():
    with pytest.raises(BudgetError, match="budget and tokens are both given; give one of them"):
        DEFAULT.changed(budget=0.2, tokens=640)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_sets_all_but_the_number(policy):
    assert HALF.changed(policy=policy) == TokenBudget(0.5, **POLICIES[policy])
    assert {"budget", *POLICIES[policy]} == {field.name for field in fields(TokenBudget)}


def test_the_default_is_a_policy():
    assert TokenBudget.of(0.2, policy="hired") == DEFAULT


def test_fields_by_name_go_over_a_policy():
    assert HALF.changed(policy="official", alpha=0.1).alpha == 0.1
    assert HALF.changed(policy="official", alpha=0.1).allocation == "official"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "worst"}, "policy is 'worst'; allowed: hired, official, best"),
        (
            {"selection": "mine"},
            "selection is 'mine'; allowed: cls, scope, cen-div, cen-dpp",
        ),
        (
            {"allocation": "mine"},
            "allocation is 'mine'; allowed: hired, official, uniform, ",
        ),
        ({"newlines": None}, "newlines is None; allowed: auto, keep, drop"),
        ({"budget": None}, "budget is None; allowed: a number of tokens"),
    ],
)
def test_what_is_not_allowed_is_named(options, said):
    with pytest.raises(BudgetError, match=said):
        DEFAULT.changed(**options)


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match=r"'alhpa'; allowed: .*alpha"):
        DEFAULT.changed(alhpa=0.3)


def test_the_options_are_the_fields_and_two_short_ways():
    assert set(BUDGET_OPTIONS) == {field.name for field in fields(TokenBudget)} | {"tokens", "policy"}


def test_numpy_scalars_are_numbers():
    config = TokenBudget(np.int64(5), alpha=np.float32(0.5))
    assert (config.budget, config.alpha) == (5, 0.5)
    assert type(config.budget) is int
    assert type(TokenBudget(np.float32(0.5)).budget) is float
    assert type(TokenBudget(Fraction(1, 5)).budget) is float


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


# The tables


def test_the_core_has_each_selection_and_needs_what_the_table_says():
    assert core.selector_needs() == {name: list(choice.needs) for name, choice in SELECTIONS.items()}


@pytest.mark.parametrize("choices", [ALLOCATIONS, SELECTIONS, NEWLINES])
def test_each_name_has_a_meaning_in_a_sentence_and_a_source(choices):
    for choice in choices.values():
        assert choice.meaning[0].isupper()
        assert choice.meaning.endswith(".")
        assert choice.source


def test_a_name_added_to_the_table_reaches_help_and_drawings(tmp_path):
    """CONTRIBUTING's recipe for an allocation, as far as Python: one line in the table, nothing else."""
    code = """
import sys
from hired_gguf.selection import policies
policies.ALLOCATIONS["mine"] = policies.Choice("Tiles share by the roll of a die.", "a test")
from dataclasses import replace
import numpy as np
from PIL import Image
from hired_gguf import TokenBudget, overlay, select_tokens
from hired_gguf.explain.comparison import draw_comparison
attention = np.random.default_rng(0).random((3, 2, 16), np.float32)
hired = select_tokens(attention, attention, (56, 112), [(56, 112)], tile=56, budget=20)
mine = replace(hired, config=TokenBudget(20, allocation="mine"))
picture = Image.new("RGB", (112, 56))
assert overlay(mine, picture).width > 100
assert draw_comparison([hired, mine], picture).width > 100
from hired_gguf.cli import main
for command in ("ask", "explain", "eval"):
    main([command, "--help"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    ask, explain, evaluate = done.stdout.split("usage: hired-gguf ")[1:]
    for text in (ask, explain):
        assert "mine: tiles share by the roll of a die" in " ".join(text.split())
    assert "hired, official, uniform, globalcom2, joint, mine" in " ".join(evaluate.split())


@pytest.mark.parametrize("command", ["ask", "chat", "qa", "explain"])
def test_help_says_what_each_name_means(command, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args([command, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("-\n", "-").split())
    for choice in (*ALLOCATIONS.values(), *SELECTIONS.values(), *NEWLINES.values()):
        assert choice.meaning[1:] in shown
