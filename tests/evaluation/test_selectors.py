"""`hired-gguf eval --layers`: other vision layers allot the budget and pick the tokens."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT, photo
from pictures import picture

from hired_gguf import InputError, LlavaNext, TokenBudget
from hired_gguf.cli import main
from hired_gguf.commands.eval_options import layers as parse
from hired_gguf.evaluation import (
    Configuration,
    EvalPicture,
    EvalQuestion,
    EvalSettings,
    chart,
    cross_product,
    evaluate,
    one_at_a_time,
    report,
)
from hired_gguf.evaluation.layers import distinct
from hired_gguf.evaluation.selectors import RandomTokens
from hired_gguf.images.load import load_image
from hired_gguf.selection.budget import ALLOCATIONS
from hired_gguf.selection.selection import select_with_tiling

BRIEF = EvalSettings(max_tokens=2)
PAIRS = [(-1, -1), (0, -2), (1, 0), (-2, 2)]
FEW = Configuration(0.25)
QUICK = ["--threads", "1", "--n-ctx", "1024", "--max-tokens", "2"]


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


# what is compared


def test_layers_are_those_of_hired_unless_given():
    assert Configuration().layers == (0, -1)
    assert Configuration(layers=(0, -1)) == Configuration()
    assert Configuration(layers=[-1, -1]) == Configuration(layers=(-1, -1))
    assert cross_product(layers=[(0, -1)]) == cross_product()


def test_other_layers_are_named():
    assert FEW.label == "0.25, hired, cls"
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
    assert len(found) == 15 + len(left)


def test_a_layer_by_two_numbers_is_one():
    assert distinct([(0, -1), (0, 2), (2, -1), (-1, 2), (1, 1)], 3) == [(0, -1), (2, -1), (1, 1)]


# which tokens stay


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
    unused = allocation == "uniform" and layers[1] in (-1, 2)
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


# what is paid


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


# the command


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command here on one question; its exit code, standard output and standard error."""
    task = {"image": str(photo("coffee")), "question": "What is this?", "answer": "a cup"}
    (tmp_path / "t.jsonl").write_text(json.dumps(task) + "\n")

    def runner(*argv, mmproj=MMPROJ):
        pair = ["--model", str(TEXT), "--mmproj", str(mmproj)]
        code = main(["eval", "--tasks", str(tmp_path / "t.jsonl"), *argv, *pair, *QUICK])
        return code, *capsys.readouterr()

    return runner


def test_option_is_a_list_of_pairs():
    assert parse("0:-1, -1:-1,0:-1") == [(0, -1), (-1, -1)]


def test_listed_layers_join_the_other_lists(run, tmp_path):
    lists = ["--budgets", "0.4,0.25", "--selections", "cls,random", "--layers", "0:-1,-1:-1,0:-2,0:2"]
    code, out, _ = run(*lists, "--json", "-")
    assert code == 0
    document = json.loads(out)
    labels = [one["label"] for one in document["configurations"]]
    assert labels == [
        "0.4, hired, cls",
        "0.25, hired, cls",
        "0.4, hired, cls, layers -1:-1",
        "0.25, hired, cls, layers -1:-1",
        "0.4, hired, cls, layers 0:-2",
        "0.25, hired, cls, layers 0:-2",
        "0.4, hired, random",
        "0.25, hired, random",
        "0.4, hired, random, layers -1:-1",
        "0.25, hired, random, layers -1:-1",
    ]
    assert [one["layers"] for one in document["configurations"][1::2]] == [
        [0, -1],
        [-1, -1],
        [0, -2],
        [0, -1],
        [-1, -1],
    ]
    assert [record["configuration"] for record in document["records"]] == labels
    assert all(label in report.make_report(document).as_text() for label in labels)
    assert "hired, cls, layers -1:-1" in chart.lines(document["configurations"])
    chart.draw(document, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_hired_s_layers_written_out_change_nothing(run):
    found = []
    for more in ([], ["--layers", "0:-1"], ["--layers=-3:2"]):
        code, out, _ = run("--budgets", "0.25", "--seed", "1", *more, "--json", "-")
        assert code == 0
        found.append(json.loads(out))
    assert found[0]["configurations"][0]["label"] == found[1]["configurations"][0]["label"]
    first, second, third = ([r["prediction"] for r in document["records"]] for document in found)
    assert first == second == third


@pytest.mark.parametrize("value", ["0", "0:", "1:x", "0:1:2", "0.5:1", "0:-1,", ""])
def test_what_is_no_pair_is_wrong_usage(run, value):
    code, out, err = run(f"--layers={value}")
    assert (code, out) == (2, "")
    wrong = value.split(",")[-1]
    assert f"argument --layers: {wrong!r} is not FIRST:LAST, two whole numbers as in 0:-1" in err


@pytest.mark.parametrize("more", [[], ["--allocations", "uniform"], ["--budgets", "1.0"]])
def test_a_listed_layer_that_is_not_there_is_wrong_usage(run, encodings, more):
    code, out, err = run("--layers", "0:-1,7:-1", *more)
    assert (code, out) == (2, "")
    assert "argument --layers: 7:-1 asks for layer 7, and the number of layers that the model" in err
    assert "executes is 3; allowed: -3 to 2" in err
    assert not encodings


def test_a_model_with_one_layer(run, tmp_path):
    one = rewrite(MMPROJ, tmp_path / "one.gguf", keys={"clip.vision.feature_layer": [1]})
    code, out, _ = run("--json", "-", mmproj=one)
    assert code == 0
    assert [c["layers"] for c in json.loads(out)["configurations"]] == [[0, -1]] * 15
    code, _, err = run("--layers", "0:-2", mmproj=one)
    assert code == 2
    assert "0:-2 asks for layer -2, and the number of layers that the model executes is 1" in err


def test_policies_of_the_chart_can_be_told_apart():
    policies = {c.policy for c in one_at_a_time() if not c.full and c.selection != "none"}
    assert len(policies) == 9
    assert len({chart.style(i) for i in range(40)}) == 40
