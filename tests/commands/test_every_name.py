"""Every allocation, selection and policy of the table through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import COFFEE, SHORT, VISION
from drawings import contains

from hired_gguf import TokenBudget, overlay
from hired_gguf.evaluation import Configuration, EvalPicture, EvalQuestion, EvalSettings, evaluate
from hired_gguf.explain.overlay import title
from hired_gguf.explain.panels import what_chose
from hired_gguf.images.load import load_image
from hired_gguf.selection.policies import ALLOCATIONS, POLICIES, SELECTIONS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_folder")]

NAMES = (*ALLOCATIONS, *SELECTIONS)


def test_explain_compares_all_names(run):
    argv = ("explain", COFFEE, "--question", "q", *SHORT, "--budget", "20")
    code, out, err = run(*argv, "--compare", ",".join(NAMES), "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)["selections"]
    assert [one["allocation"] for one in found] == [*ALLOCATIONS, *["hired"] * len(SELECTIONS)]
    assert [one["selection"] for one in found] == [*["cls"] * len(ALLOCATIONS), *SELECTIONS]
    assert {one["visual_tokens"] for one in found if one["allocation"] != "official"} == {20}
    assert all(np.shape(one["worth"]) == (4, 16) for one in found)
    assert Path("coffee-overlay.png").is_file()


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_a_drawing_says_and_shows_what_chose(encoder, allocation, selection):
    encoding = encoder.encode(COFFEE, features=False)
    image = encoding.asked(encoding.projected[0, :2])
    chosen = image.select(12, allocation=allocation, selection=selection)
    assert f"allocation {allocation}" in title(chosen)
    assert selection == "cls" or f"selection {selection}" in title(chosen)
    drawing = np.asarray(overlay(chosen, COFFEE))
    for panel in what_chose(chosen, load_image(COFFEE)):
        assert contains(drawing, np.asarray(panel))


@pytest.mark.parametrize("name", [name for name, choice in SELECTIONS.items() if "question" in choice.needs])
def test_explain_without_a_question_that_it_needs(run, name):
    for argv in (("--selection", name), ("--compare", f"cls,{name}")):
        code, _, err = run("explain", COFFEE, *VISION, *argv)
        assert code == 2
        assert f"selection {name} goes by what is asked: give --question" in err


@pytest.mark.parametrize("policy", POLICIES)
def test_ask_takes_every_policy(run, policy):
    code, out, _ = run("ask", COFFEE, "q", *SHORT, "--budget", "20", "--policy", policy, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["visual_tokens"] <= 20
    assert {name: answer[name] for name in POLICIES[policy]} == POLICIES[policy]


def test_eval_asks_under_every_combination(llm):
    picture = EvalPicture("coffee", lambda: load_image(COFFEE), (EvalQuestion("1", "What?", ("x",)),))
    combinations = [Configuration(20, allocation=a, selection=s) for a in ALLOCATIONS for s in SELECTIONS]
    results = evaluate(llm, [picture], combinations, EvalSettings(max_tokens=1))
    (asked,) = results.pictures
    for configuration, (outcome,) in zip(combinations, asked.outcomes, strict=True):
        exact = configuration.token_budget.allocation != "official"
        assert outcome.visual_tokens == 20 if exact else outcome.visual_tokens <= 20
        assert configuration.token_budget.selection in configuration.label


def test_a_budget_travels_with_any_names():
    for policy, fields in POLICIES.items():
        assert TokenBudget.of(0.1, policy=policy) == TokenBudget(0.1, **fields)
