"""Which answers count as right."""

from __future__ import annotations

import pytest

from hired_gguf.evaluation import is_right, normalise


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
