"""Questions about drawn pictures that the built-in model has not seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from evaluated import FULL

from hired_gguf.evaluation import Configuration, EvalSettings, builtin_pictures, evaluate
from hired_gguf.evaluation.builtin_tasks import KINDS
from hired_gguf.evaluation.tasks import count
from hired_gguf.scenes import make_scene


@pytest.fixture(scope="module")
def drawn():
    return builtin_pictures(20, seed=3)


def test_builtin_questions_are_spread_over_the_kinds(drawn):
    kinds = Counter(question.kind for picture in drawn for question in picture.questions)
    assert count(drawn) == 20
    assert [kinds[kind] for kind in KINDS] == [4, 4, 3, 3, 3, 3]
    assert count(drawn) > 2 * len(drawn)  # several a picture
    ids = [question.id for picture in drawn for question in picture.questions]
    assert len(ids) == len(set(ids))


def test_builtin_pictures_are_held_out_and_drawn_again_the_same(drawn):
    again = builtin_pictures(20, seed=3)
    assert [p.questions for p in again] == [p.questions for p in drawn]
    assert [p.questions for p in builtin_pictures(20, seed=4)] != [p.questions for p in drawn]
    split, seed, index = drawn[0].name.split("/")
    assert np.array_equal(drawn[0].load(), make_scene(split, int(seed), int(index)).image)
    assert split == "held-out"


def test_builtin_answers_have_their_characters(drawn):
    for question in (question for one in drawn for question in one.questions):
        reads = question.kind in ("read", "value")
        assert len(question.characters) == (len(question.answers[0]) if reads else 0)


def test_text_is_shown_at_the_full_budget_and_not_at_one_token(fresh, drawn):
    results = evaluate(fresh, drawn[:1], [FULL, Configuration(1)], EvalSettings(max_tokens=1))
    full, one = (summary["answer_kept"] for summary in results.document({})["configurations"])
    assert full["share"] == 1
    assert one["share"] == 0
