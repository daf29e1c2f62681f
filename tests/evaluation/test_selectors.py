"""Tokens chosen by the CLS attention of other layers: which stay, and what is paid."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from golden_pair import MMPROJ, TEXT, photo
from pictures import picture

from hired_gguf import InputError, LlavaNext, TokenBudget
from hired_gguf.evaluation import Configuration, EvalPicture, EvalQuestion, EvalSettings, evaluate
from hired_gguf.evaluation.selectors import RandomTokens
from hired_gguf.images.load import load_image
from hired_gguf.selection.budget import ALLOCATIONS
from hired_gguf.selection.selection import select_with_tiling

BRIEF = EvalSettings(max_tokens=2)
PAIRS = [(-1, -1), (0, -2), (1, 0), (-2, 2)]
FEW = Configuration(0.25)


@pytest.fixture(scope="module")
def golden():
    with LlavaNext(TEXT, MMPROJ, n_ctx=1024, n_threads=1) as llm:
        yield llm


@pytest.fixture
def fresh(golden):
    """The golden pair without any image in its cache."""
    golden.handler._cache.clear()
    return golden


def asked(name, load, *texts):
    return EvalPicture(
        name, load, tuple(EvalQuestion(f"{name}.{i}", text, ("x",)) for i, text in enumerate(texts))
    )


COFFEE = asked("coffee", partial(load_image, photo("coffee")), "What is this?")
TWO = [
    asked("wide", partial(picture, 90, 50), "What is it?", "How many?"),
    asked("high", partial(picture, 40, 110), "What?", "Where?"),
]


def answers(results, index):
    return [(o.prediction, o.visual_tokens) for r in results.pictures for o in r.outcomes[index]]


def expected(encoder, name, layers, config):
    """The selection by hand."""
    encoding = encoder.encode(photo(name), layers)
    allots, picks = (encoding.attention[layer][:, :, 1:] for layer in layers)
    return select_with_tiling(allots, picks, encoding.tiling, config)


# Which tokens stay


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("layers", PAIRS)
def test_the_layers_allot_and_pick(fresh, encoder, layers, allocation):
    one = Configuration(0.25, allocation=allocation, layers=layers)
    evaluate(fresh, [COFFEE], [one], BRIEF)
    (selection,) = fresh.handler.last_run.selections
    right = expected(encoder, "coffee", layers, TokenBudget(0.25, allocation=allocation))
    np.testing.assert_array_equal(selection.packing, right.packing)
    np.testing.assert_array_equal(selection.counts, right.counts)
    hired = encoder.encode(photo("coffee")).select(0.25, allocation=allocation)
    unused = ALLOCATIONS[allocation].layer != "first" and layers[1] in (-1, 2)
    assert np.array_equal(selection.mask, hired.mask) == unused


def test_each_layer_has_its_own_part(fresh, encoder):
    """What allots decides how many stay of a partition, what picks does not."""
    counts = {pair: expected(encoder, "coffee", pair, TokenBudget(0.25)).counts.tolist() for pair in PAIRS}
    hired = encoder.encode(photo("coffee")).select(0.25).counts.tolist()
    assert counts[0, -2] == hired
    assert len({str(each) for each in (hired, counts[-1, -1], counts[1, 0])}) == 3
    results = evaluate(fresh, [COFFEE], [FEW, Configuration(0.25, layers=(1, 0))], BRIEF)
    assert fresh.handler.last_run.selections[0].counts.tolist() == counts[1, 0]
    assert answers(results, 0)[0][1] == answers(results, 1)[0][1] == 16


def test_hired_s_layers_by_other_numbers_are_the_default(fresh):
    """The model has three: 2 is -1, but takes the way of other layers."""
    long = EvalSettings(max_tokens=12)
    spelt = [Configuration(0.25, layers=(-3, 2)), Configuration(0.25, selection="random", layers=(-3, -1))]
    plain = [FEW, Configuration(0.25, selection="random")]
    results = evaluate(fresh, TWO, [*plain, *spelt], long)
    assert answers(results, 0) == answers(results, 2)
    assert answers(results, 1) == answers(results, 3)


@pytest.mark.parametrize("layers", [(-1, -1), (1, 1)])
def test_lots_fall_where_another_layer_allots(fresh, encoder, layers):
    evaluate(fresh, [COFFEE], [Configuration(0.25, selection="random", layers=layers)], BRIEF)
    (selection,) = fresh.handler.last_run.selections
    config = TokenBudget(0.25)
    assert selection.counts.tolist() == expected(encoder, "coffee", layers, config).counts.tolist()
    hired = RandomTokens("coffee", 0)(encoder.encode(photo("coffee")), config)
    assert selection.counts.tolist() != hired.counts.tolist()
    common = (selection.mask & hired.mask).sum(axis=1)  # the lots are the same, their number is not
    assert common.tolist() == np.minimum(selection.counts, hired.counts).tolist()


def test_answers_do_not_depend_on_the_layers_before(fresh):
    long = EvalSettings(max_tokens=12)
    several = [
        FEW,
        *(Configuration(0.25, layers=pair) for pair in PAIRS),
        Configuration(0.25, selection="random"),
        Configuration(0.25, selection="random", layers=(-1, -1)),
    ]
    together = evaluate(fresh, TWO, several, long)
    for i, configuration in enumerate(several):
        alone = evaluate(fresh, TWO[::-1], [configuration], long)
        assert sorted(answers(alone, 0)) == sorted(answers(together, i))
    assert len({str(answers(together, i)) for i, _ in enumerate(several)}) > 1


# What is paid


def test_all_pairs_and_questions_share_one_more_encoding(fresh, encodings):
    heard = []
    fresh.handler.on_progress = lambda *stage: heard.append(stage)
    try:
        results = evaluate(fresh, TWO, [FEW, *(Configuration(0.25, layers=p) for p in PAIRS)], BRIEF)
    finally:
        fresh.handler.on_progress = None
    document = results.document({})
    assert len(encodings) == document["encoded_images"] == 2 * len(TWO)
    assert heard.count(("encode", 0, 1)) == 2 * len(TWO)
    every = [o for result in results.pictures for row in result.outcomes for o in row]
    assert sum(o.encoded_images for o in every) == len(TWO)
    assert document["encode_seconds"] > sum(o.encode_seconds for o in every) > 0


def test_nothing_is_encoded_again_for_layers_that_are_not_used(fresh, encodings):
    unused = [
        Configuration(1.0, layers=(1, 1)),
        Configuration(selection="none", layers=(1, 1)),
        Configuration(0.25, allocation="uniform", layers=(1, -1)),
        Configuration(0.25, selection="random", layers=(0, 1)),
    ]
    results = evaluate(fresh, TWO, unused, BRIEF)
    assert len(encodings) == results.document({})["encoded_images"] == len(TWO)


@pytest.mark.parametrize(
    ("layers", "which"), [((0, -4), "0:-4 asks for layer -4"), ((3, -1), "3:-1 asks for layer 3")]
)
def test_layers_that_are_not_there_are_an_error_before_anything_is_asked(fresh, encodings, layers, which):
    heard = []
    with pytest.raises(InputError, match=which + r", and the number of .* executes is 3; allowed: -3 to 2"):
        evaluate(fresh, TWO, [FEW, Configuration(1.0, layers=layers)], BRIEF, lambda *_: heard.append(1))
    assert not heard
    assert not encodings
