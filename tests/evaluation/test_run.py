"""The evaluation: what is asked and paid for, what counts as right, which tokens random selection keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from golden_pair import photo
from pictures import picture

from hired_gguf import BudgetError, InputError, TokenBudget
from hired_gguf.evaluation import (
    Configuration,
    EvalPicture,
    EvalQuestion,
    EvalSettings,
    builtin_pictures,
    cross_product,
    evaluate,
    is_right,
    normalise,
    one_at_a_time,
)
from hired_gguf.evaluation.builtin_tasks import KINDS
from hired_gguf.evaluation.recall import all_kept, patches_of
from hired_gguf.evaluation.selectors import RandomTokens
from hired_gguf.evaluation.tasks import count, sample
from hired_gguf.images.load import load_image
from hired_gguf.scenes import make_scene
from hired_gguf.selection.budget import ALLOCATIONS

BRIEF = EvalSettings(max_tokens=2)
FULL, FEW, LOTS = Configuration(1.0), Configuration(0.25), Configuration(0.25, selection="random")
NOTHING = Configuration(selection="none").plain()


@pytest.fixture
def fresh(llm):
    """The shared model without any image in its cache."""
    llm.handler._cache.clear()
    return llm


def asked(name, size, *texts, answers=("never",)):
    questions = tuple(EvalQuestion(f"{name}.{i}", text, answers) for i, text in enumerate(texts))
    return EvalPicture(name, partial(picture, *size), questions)


TWO = [asked("wide", (90, 50), "What is it?", "How many?"), asked("high", (40, 110), "What?", "Where?")]


def rows(results, index):
    return [outcome for result in results.pictures for outcome in result.outcomes[index]]


@pytest.mark.parametrize(
    ("prediction", "answers"),
    [
        ("Stop", ["STOP"]),
        ("  the   red sign. ", ["The red\tsign"]),
        ('"42."', ["42"]),
        ("(yes)", ["yes"]),
        ("\u201cCaf\u00e9\u201d!", ["caf\u00e9"]),
        ("b", ["a", "b"]),
        ("3.50", ["3.50."]),
    ],
)
def test_right(prediction, answers):
    assert is_right(prediction, answers)


@pytest.mark.parametrize(
    ("prediction", "answers"),
    [
        ("-5", ["5"]),
        ("5%", ["5"]),
        (".5", ["5"]),
        ("3.50", ["350"]),
        ("red sign", ["red"]),
        ("", ["a"]),
        ("well-known", ["well known"]),
    ],
)
def test_wrong(prediction, answers):
    assert not is_right(prediction, answers)


def test_normalise_of_punctuation_is_empty():
    assert normalise(' "..." ') == ""


def test_default_varies_one_option_at_a_time():
    found = one_at_a_time()
    assert len(found) == len(set(found)) == 17
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
    assert len(small) == 2 * 2 * (2 + 2 + 1)  # uniform allocation has no alpha
    full = [c for c in found if c.full]
    rules = {c.token_budget.newlines for c in full}
    assert rules == {"drop", "keep"}  # all that a full budget leaves to choose
    assert len(full) == 2
    assert len(found) == len(set(found)) == 20 + 2 + 8


def test_no_picture_is_one_configuration():
    assert cross_product((1.0, 0.2), selections=("none",)) == [NOTHING]


@pytest.mark.parametrize(
    ("error", "options", "message"),
    [
        (InputError, {"selection": "best"}, r"selection is 'best'; allowed: cls, random, none"),
        (BudgetError, {"budget": 0.0}, r"budget is 0.0"),
        (BudgetError, {"allocation": "mine"}, r"allocation is 'mine'"),
        (BudgetError, {"alpha": 2}, r"alpha is 2"),
    ],
)
def test_impossible_configurations(error, options, message):
    with pytest.raises(error, match=message):
        Configuration(**options)


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


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("budget", [0.4, 7])
def test_random_selection_keeps_as_many_in_each_partition(encoder, allocation, budget):
    encoding = encoder.encode(photo("rocket"))
    config = TokenBudget(budget, allocation=allocation)
    ours, lots = encoding.select_with(config), RandomTokens("rocket", 1)(encoding, config)
    assert lots.counts.tolist() == ours.counts.tolist() == lots.mask.sum(axis=1).tolist()
    assert not np.array_equal(lots.mask, ours.mask)
    if allocation != "official":  # which takes padding for tokens, then leaves it out
        assert lots.visual_tokens == ours.visual_tokens
        assert not (lots.mask & lots.padding).any()


def test_random_selection_is_drawn_by_seed_and_picture(encoder):
    encoding, config = encoder.encode(photo("coffee")), TokenBudget(0.3)
    masks = [
        RandomTokens(*which)(encoding, config).mask for which in (("a", 1), ("a", 1), ("a", 2), ("b", 1))
    ]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert not np.array_equal(masks[0], masks[3])


def test_random_selection_is_fair(encoder):
    """Over many seeds every token of the full image is kept as often as any other."""
    encoding, config = encoder.encode(photo("coffee")), TokenBudget(0.5, allocation="uniform")
    masks = np.array([RandomTokens("x", seed)(encoding, config).mask[0] for seed in range(400)])
    assert np.abs(masks.mean(axis=0) - masks.mean()).max() < 5 * np.sqrt(0.25 / 400)


def test_random_tokens_reach_the_language_model(fresh):
    evaluate(fresh, [asked("wide", (90, 50), "What is it?")], [LOTS], replace(BRIEF, seed=3))
    encoding = fresh.handler.load().encode(load_image(picture(90, 50)))
    expected = RandomTokens("wide", 3)(encoding, TokenBudget(0.25))
    (selection,) = fresh.handler.last_run.selections
    assert np.array_equal(selection.packing, expected.packing)


def test_characters_are_looked_for_in_their_tile(encoder):
    encoding = encoder.encode(photo("rocket"))
    tiling, side = encoding.tiling, encoding.tiling.side
    scale = tiling.fitted_hw[1] / tiling.image_size_hw[1]
    (top, left), last = tiling.offset_yx, tiling.partitions - 1
    row, column = (last - 1) // tiling.grid[1], (last - 1) % tiling.grid[1]
    x, y = (
        column * tiling.tile + tiling.patch,
        row * tiling.tile,
    )  # the second patch of the last tile's first row
    edges = ((x - left) / scale, (y - top) / scale)
    patch = tiling.patch / scale
    found = patches_of([(*edges, edges[0] + patch, edges[1] + patch)], tiling)
    assert found.tolist() == [last * tiling.tokens + 1]
    assert side > 1
    for budget in (1.0, 1):
        selection = encoding.select(budget)
        assert all_kept(found, selection) == selection.packed[last, 1]
    assert all_kept(patches_of([], tiling), encoding.select(1))


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


def test_sample_is_drawn_by_seed_in_the_file_s_order():
    pictures = [asked(str(i), (9, 9), "a", "b", "c") for i in range(10)]
    chosen = sample(pictures, 7, 0)
    ids = [question.id for picture in chosen for question in picture.questions]
    assert len(ids) == 7
    assert ids == sorted(ids)
    assert [p.questions for p in sample(pictures, 7, 0)] == [p.questions for p in chosen]
    assert [p.questions for p in sample(pictures, 7, 1)] != [p.questions for p in chosen]
    assert count(sample(pictures, 99, 0)) == 30
