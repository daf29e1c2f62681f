"""`hired-gguf eval --layers`: lists of pairs, and pairs that are not there."""

from __future__ import annotations

import json

import pytest
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT
from task_files import GOOD, write

from hired_gguf.commands.eval_options import layers as parse
from hired_gguf.evaluation import chart, report

QUICK = ("--threads", "1", "--n-ctx", "1024", "--max-tokens", "2")


@pytest.fixture
def run(run, tmp_path):
    """Runs `hired-gguf eval` on one question."""
    tasks = write(tmp_path / "t.jsonl", GOOD)

    def runner(*argv, mmproj=MMPROJ):
        return run("eval", "--tasks", tasks, *argv, "--model", TEXT, "--mmproj", mmproj, *QUICK)

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
    assert [c["layers"] for c in json.loads(out)["configurations"]] == [[0, -1]] * 22
    code, _, err = run("--layers", "0:-2", mmproj=one)
    assert code == 2
    assert "0:-2 asks for layer -2, and the number of layers that the model executes is 1" in err
