"""The evaluation: what is asked and paid for, and what counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluated import FEW, FULL, LOTS, NOTHING, asked
from pictures import picture

from hired_gguf import InputError, TokenBudget
from hired_gguf.evaluation import EvalSettings, evaluate
from hired_gguf.evaluation.selectors import RandomTokens
from hired_gguf.images.load import load_image

BRIEF = EvalSettings(max_tokens=2)
TWO = [asked("wide", (90, 50), "What is it?", "How many?"), asked("high", (40, 110), "What?", "Where?")]


def rows(results, index):
    return [outcome for result in results.pictures for outcome in result.outcomes[index]]


def test_template_must_hold_the_question():
    with pytest.raises(InputError, match=r"template is 'Answer!'; it must hold \{question\}"):
        EvalSettings(template="Answer!")


def test_each_picture_is_encoded_once_and_read_once_a_configuration(fresh, encodings):
    results = evaluate(fresh, TWO, [FULL, FEW, LOTS, NOTHING], BRIEF)
    assert len(encodings) == 2
    document = results.document({})
    assert document["encoded_images"] == 2
    assert document["questions"] == 4
    for result in results.pictures:
        for first, second in result.outcomes[:3]:
            assert second.visual_tokens == first.visual_tokens > 0
            assert second.reused_tokens >= first.reused_tokens + first.visual_tokens  # whose text it had
        assert all(outcome.visual_tokens == 0 for outcome in result.outcomes[3])


def test_answers_do_not_depend_on_what_was_asked_before(fresh):
    """Above all not on another selection of the same size, whose rows the context still holds."""
    long = EvalSettings(max_tokens=12)
    together = evaluate(fresh, TWO, [FULL, FEW, LOTS, NOTHING], long)
    for i, configuration in enumerate(together.configurations):
        alone = evaluate(fresh, TWO[::-1], [configuration], long)
        assert {o.prediction for o in rows(alone, 0)} == {o.prediction for o in rows(together, i)}
    assert [o.prediction for o in rows(together, 1)] != [o.prediction for o in rows(together, 2)]


def test_on_answer_counts_to_the_end(fresh):
    heard = []
    evaluate(fresh, TWO[:1], [FEW, NOTHING], BRIEF, lambda done, total: heard.append((done, total)))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_shares_are_those_of_right_answers(fresh):
    """Answers are made right by taking what the model says."""
    first = evaluate(fresh, TWO, [FULL], BRIEF)
    said = [o.prediction for o in rows(first, 0)]
    questions = [q for p in TWO for q in p.questions]
    right = [
        replace(q, answers=(s,) if i != 1 else ("never",))
        for i, (q, s) in enumerate(zip(questions, said, strict=True))
    ]
    kinds = [replace(q, kind=kind) for q, kind in zip(right, "aabb", strict=True)]
    known = [replace(TWO[0], questions=tuple(kinds[:2])), replace(TWO[1], questions=tuple(kinds[2:]))]
    results = evaluate(fresh, known, [FULL, NOTHING], BRIEF)
    full, none = results.document({})["configurations"]
    assert (full["all"]["right"], full["all"]["n"], full["all"]["share"]) == (3, 4, 0.75)
    assert {kind: share["right"] for kind, share in full["kinds"].items()} == {"a": 1, "b": 2}
    assert full["relative_to_full"]["share"] == 1
    assert none["relative_to_full"]["share"] == pytest.approx(none["all"]["right"] / 3)
    assert 0 < full["all"]["low"] < 0.75 < full["all"]["high"] < 1
    assert none["visual_tokens"] == 0 < full["visual_tokens"] == full["visual_tokens_full"]


def test_template_and_system_reach_the_model(fresh):
    results = evaluate(
        fresh, TWO[:1], [NOTHING], EvalSettings(max_tokens=2, template="Say: {question}", system="Be brief.")
    )
    expected = fresh.ask(None, "Say: What is it?", system="Be brief.", max_tokens=2)
    assert rows(results, 0)[0].prediction == expected.text


def test_random_tokens_reach_the_language_model(fresh):
    evaluate(fresh, [asked("wide", (90, 50), "What is it?")], [LOTS], replace(BRIEF, seed=3))
    encoding = fresh.handler.load().encode(load_image(picture(90, 50)))
    expected = RandomTokens("wide", 3)(encoding, TokenBudget(0.25))
    (selection,) = fresh.handler.last_run.selections
    assert np.array_equal(selection.packing, expected.packing)
