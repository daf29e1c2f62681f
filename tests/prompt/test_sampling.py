"""Sampling values and stop strings, before any model sees them."""

from __future__ import annotations

import re

import llama_cpp
import numpy as np
import pytest

from hired_gguf.errors import PromptError
from hired_gguf.prompt.sampling import check_sampling, sampler_options, stop_strings


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"temperature": 0},
        {"temperature": None, "seed": None, "logit_bias": None, "model": None},
        {"temperature": 5.0, "seed": 0, "top_k": -1, "top_p": 1.0, "logit_bias": {"0": 100, 319: -100.0}},
        {"seed": 2**32 - 1, "logits_processor": llama_cpp.LogitsProcessorList([])},
        {"temperature": np.float32(0.5), "seed": np.int64(7), "logit_bias": {}},
    ],
)
def test_taken(values):
    check_sampling(values, 320)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": float("nan")}, "temperature is nan; it must be finite"),
        ({"top_p": float("inf")}, "top_p is inf; it must be finite"),
        ({"repeat_penalty": float("-inf")}, "repeat_penalty is -inf; it must be finite"),
        ({"min_p": np.float32("nan")}, "min_p is nan; it must be finite"),
        ({"temperature": -0.1}, "temperature is -0.1; it must be at least 0"),
        ({"temperature": "hot"}, "temperature is 'hot'; it must be a number"),
        ({"top_p": "0.9"}, "top_p is '0.9'; it must be a number"),
        ({"top_k": [40]}, "top_k is [40]; it must be a whole number"),
        ({"top_k": 2**40}, "top_k is 1099511627776; allowed: "),
        ({"top_k": 1.5}, "top_k is 1.5; it must be a whole number"),
        ({"seed": 1.5}, "seed is 1.5; it must be a whole number"),
        ({"seed": "7"}, "seed is '7'; it must be a whole number"),
        ({"seed": -1}, "seed is -1; allowed: 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296; allowed: 0 to 4294967295"),
        ({"logit_bias": {320: 1}}, "logit_bias names token 320; allowed: 0 to 319"),
        ({"logit_bias": {"-1": 1}}, "logit_bias names token '-1'; allowed: 0 to 319"),
        ({"logit_bias": {"yes": 1}}, "logit_bias names token 'yes'"),
        ({"logit_bias": {7: float("nan")}}, "logit_bias[7] is nan; it must be finite"),
        ({"logit_bias": {7: "high"}}, "logit_bias[7] is 'high'; it must be a number"),
        ({"logit_bias": [7]}, "logit_bias is a list; it must be a dict of ids and numbers"),
    ],
)
def test_refused(values, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        check_sampling(values, 320)


@pytest.mark.parametrize(
    ("given", "of_template", "together"),
    [
        (None, (), []),
        ([], ("<|im_end|>",), ["<|im_end|>"]),
        ("x", ("<|im_end|>",), ["x", "<|im_end|>"]),
        (["x", "y"], (), ["x", "y"]),
        (("<|im_end|>",), ("<|im_end|>",), ["<|im_end|>"]),
    ],
)
def test_stop_strings(given, of_template, together):
    assert stop_strings(given, of_template) == together


@pytest.mark.parametrize("stop", [None, [], ()])
def test_no_stop_string(stop):
    assert stop_strings(stop, ()) == []


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("", "stop is an empty string, which stands in every answer; leave it out"),
        ([""], "stop[0] is an empty string"),
        (["x", ""], "stop[1] is an empty string"),
        (("",), "stop[0] is an empty string"),
        ([None], "stop[0] is None; it must be a string"),
        (["x", 7], "stop[1] is 7; it must be a string"),
        (b"x", "stop is b'x'; it must be a string"),
        ([b"x"], "stop[0] is b'x'"),
        (7, "stop is a int; allowed: a string, a list of strings, or None"),
        ({"x": 1}, "stop is a dict"),
        (False, "stop is a bool"),
        ([["x"]], "stop[0] is ['x']"),
    ],
)
def test_stop_strings_refused(stop, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        stop_strings(stop, ("</s>",))


def test_the_callers_bias_and_processors_both_count():
    def raise_all(ids, scores):
        return scores + 1

    def guard(processor):
        return processor

    given = {"temperature": 0.5, "seed": 3, "logits_processor": [raise_all], "logit_bias": {"1": 2}}
    options = sampler_options(given, None, guard)
    assert options["temp"] == 0.5
    assert "seed" not in options
    scores = np.zeros(3, np.single)
    for processor in options["logits_processor"]:
        scores = processor(None, scores)
    assert scores.tolist() == [1, 3, 1]
    assert sampler_options({"temperature": 0}, None, guard)["logits_processor"] is None
    alone = sampler_options({"temperature": 0, "logits_processor": raise_all}, None, guard)
    assert list(alone["logits_processor"]) == [raise_all]
