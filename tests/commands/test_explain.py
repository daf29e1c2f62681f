"""`hired-gguf explain`: a drawing, numbers as text or JSON, and an answer if a question is given."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import COFFEE, PAIR, SHORT, VISION, feed
from drawings import same_picture
from golden_pair import MMPROJ, TEXT

from hired_gguf import LlavaNext, overlay

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_folder")]


def test_explain_needs_the_mmproj_alone(run, encoder):
    code, out, err = run("explain", COFFEE, *VISION, "--budget", "20")
    selection = encoder.encode(COFFEE, features=False).select(20)
    assert (code, err) == (0, "")
    same_picture("coffee-overlay.png", overlay(selection, COFFEE))
    lines = out.splitlines()
    assert lines[0] == "hired: 20 of 66 visual tokens"
    assert [tuple(line.split()) for line in lines[-4:-2]] == [
        ("tile", "3", "12", *[str(selection.counts[3])] * 2),
        ("together", "56", "20", "20"),
    ]
    assert lines[-1] == "drawn in coffee-overlay.png"


def test_explain_draws_again_over_its_own_drawing(run):
    for _ in range(2):
        assert run("explain", COFFEE, *VISION, "--out", "a.png")[0] == 0
    assert os.listdir() == ["a.png"]


def test_explain_json(run, encoder):
    code, out, err = run("explain", COFFEE, *VISION, "--budget", "0.5", "--json", "-")
    report = json.loads(out)
    encoding = encoder.encode(COFFEE, features=False)
    selection = encoding.select(0.5)
    assert (code, err) == (0, "")
    assert set(report) == {
        *("image", "model", "mmproj", "overlay", "question", "tiling", "attention", "selections")
    }
    assert (report["model"], report["question"], report["overlay"]) == (None, None, "coffee-overlay.png")
    assert report["tiling"] == {
        "image_size_hw": [240, 90],
        "grid": [3, 1],
        "canvas_hw": [168, 56],
        "fitted_hw": [150, 56],
        "offset_yx": [9, 0],
        **{"tile": 56, "patch": 14, "side": 4, "partitions": 4, "tokens": 16, "unpad": True},
    }
    np.testing.assert_allclose(report["attention"]["first_layer"], selection.attention_first, rtol=1e-5)
    np.testing.assert_allclose(report["attention"]["last_layer"], selection.attention_last, rtol=1e-5)
    (chosen,) = report["selections"]
    assert chosen["kept_ids"] == selection.order.tolist()
    assert chosen["visual_tokens"] == selection.visual_tokens == len(chosen["kept_ids"])
    assert (chosen["budget"], chosen["alpha"], chosen["allocation"]) == (0.5, 0.5, "hired")
    for number, partition in enumerate(chosen["partitions"]):
        assert partition["allotted"] == selection.counts[number]
        assert partition["kept"] == sum(i // 16 == number for i in chosen["kept_ids"])
    assert [partition["name"] for partition in chosen["partitions"]][:2] == ["full image", "tile 1"]


def test_explain_with_a_question_answers_it(run):
    with LlavaNext(TEXT, MMPROJ, n_threads=1, budget=0.3) as llm:
        expected = llm.ask(COFFEE, "What is it?", max_tokens=4).text
        (selection,) = llm.handler.last_run.selections
    argv = ("explain", COFFEE, "--question", "What is it?", *SHORT, "--budget", "0.3", "--json", "facts.json")
    code, out, err = run(*argv, "--out", "asked.png")
    report = json.loads(Path("facts.json").read_text())
    assert (code, err) == (0, "")
    assert report["selections"][0]["answer"] == expected
    assert (report["question"], report["model"]) == ("What is it?", str(TEXT))
    assert f"  answer: {expected}" in out
    same_picture(
        "asked.png", overlay(selection, COFFEE, caption=f"Question: What is it?\nAnswer: {expected}")
    )


def test_explain_compares_allocations(run, encodings):
    argv = ("explain", COFFEE, "--question", "q", *SHORT)
    argv += ("--compare", "hired,official,uniform", "--json", "-")
    code, out, _ = run(*argv)
    report = json.loads(out)
    assert code == 0
    assert len(encodings) == 1
    assert [each["allocation"] for each in report["selections"]] == ["hired", "official", "uniform"]
    answers = []
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        for each in report["selections"]:
            answers.append(llm.ask(COFFEE, "q", max_tokens=4, allocation=each["allocation"]).text)
        chosen = [each["answer"] for each in report["selections"]]
    assert chosen == answers
    assert Path("coffee-overlay.png").is_file()


def test_explain_reads_a_picture_from_standard_input(run, monkeypatch):
    feed(monkeypatch, Path(COFFEE).read_bytes())
    assert run("explain", "-", *VISION)[1].endswith("drawn in overlay.png\n")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ((), "required: IMAGE"),
        ((COFFEE, "--compare", "hired"), "'hired' is not two or more of hired, official, uniform"),
        ((COFFEE, "--compare", "hired,fair"), "'hired,fair' is not two or more of"),
        ((COFFEE, "--compare", "hired,hired"), "'hired,hired' is not two or more of"),
        ((COFFEE, "--out", "a.jpg"), "'a.jpg' does not end in .png"),
        (
            (COFFEE, "--out", "no/a.png"),
            "the file 'no/a.png' cannot be written: its folder is missing or read-only",
        ),
        (
            (COFFEE, "--json", "no/a.json"),
            "the file 'no/a.json' cannot be written: its folder is missing or read-only",
        ),
        (("mine.png", "--out", "./mine.png"), "'mine.png' is the picture itself: name another file"),
        (("mine.png", "--json", "mine.png"), "'mine.png' is the picture itself: name another file"),
        ((COFFEE, "--json", "a.png", "--out", "a.png"), "'a.png' is named for the drawing and for the num"),
        ((COFFEE, "--model", str(TEXT)), "--model is given but --mmproj is not"),
        ((COFFEE, "--question", "q", *VISION), "--mmproj is given but --model is not"),
        ((COFFEE, *PAIR, "--budget", "9999"), "9999 tokens exceed the 64 there are"),
        (("https://example.org/a.png", *PAIR), "give --allow-http"),
    ],
)
def test_explain_usage_errors(run, argv, text):
    Path("mine.png").write_bytes(Path(COFFEE).read_bytes())
    code, out, err = run("explain", *argv)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1
    assert os.listdir() == ["mine.png"]
    assert Path("mine.png").read_bytes() == Path(COFFEE).read_bytes()


def test_explain_other_errors(run):
    assert "no such file" in run("explain", "none.png", *PAIR)[2]
    code, _, err = run("explain", COFFEE, "--mmproj", str(TEXT))
    assert code == 1
    assert "this is a language model" in err
    assert not os.listdir()
