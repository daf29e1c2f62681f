"""Sampling values, stop strings, tools and grammars, before any model sees them."""

from __future__ import annotations

import re

import llama_cpp
import numpy as np
import pytest

from hired_gguf.errors import PromptError
from hired_gguf.prompt.answer_formats import answer_grammar, as_tools, forced_tool
from hired_gguf.prompt.sampling import check_sampling, stop_strings

GRAPE = {"name": "grape", "parameters": {"type": "object", "properties": {}}}
PEAR = {"name": "pear", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": GRAPE}, {"type": "function", "function": PEAR}]


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


def test_the_older_form_of_tools():
    assert as_tools(None, None, None, None) == (None, None)
    assert as_tools(None, None, TOOLS, "auto") == (TOOLS, "auto")
    assert as_tools([GRAPE, PEAR], "auto", None, None) == (TOOLS, "auto")
    assert as_tools([GRAPE, PEAR], None, None, None) == (TOOLS, None)
    choice = {"type": "function", "function": {"name": "pear"}}
    assert as_tools([GRAPE, PEAR], {"name": "pear"}, None, None) == (TOOLS, choice)


def test_forced_tool():
    pear = {"type": "function", "function": {"name": "pear"}}
    assert forced_tool(TOOLS, pear) is TOOLS[1]
    assert forced_tool(TOOLS[:1], "required") is TOOLS[0]
    for choice in (None, "none", "auto"):
        assert forced_tool(TOOLS, choice) is None
        assert forced_tool(None, choice) is None


@pytest.mark.parametrize(
    ("tools", "choice", "words"),
    [
        (TOOLS, {"type": "function", "function": {"name": "fig"}}, "names 'fig'; tools: grape, pear"),
        (None, {"type": "function", "function": {"name": "fig"}}, "names 'fig'; tools: none were given"),
        (TOOLS, {"name": "pear"}, "tool_choice is {'name': 'pear'}"),
        (TOOLS, {"type": "function", "function": "pear"}, "tool_choice is {'type': 'function'"),
    ],
)
def test_tool_choices_refused(tools, choice, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        forced_tool(tools, choice)


def test_no_grammar_for_text():
    assert answer_grammar(None, None) is None
    assert answer_grammar({"type": "text"}, None) is None
    assert answer_grammar({}, None) is None


@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_object"},
        {"type": "json_object", "schema": {"type": "object"}},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["yes", "no"]}}},
    ],
)
def test_grammars(response_format):
    assert isinstance(answer_grammar(response_format, None), llama_cpp.LlamaGrammar)
    assert isinstance(answer_grammar(response_format, TOOLS[0]), llama_cpp.LlamaGrammar)


@pytest.mark.parametrize(
    ("response_format", "words"),
    [
        ({"type": "xml"}, "response_format.type is 'xml'; allowed: text, json_object, json_schema"),
        ({"type": "json_schema"}, "response_format.json_schema holds no schema"),
        ({"type": "json_schema", "json_schema": {}}, "response_format.json_schema holds no schema"),
        ("json", "response_format is a str; it must be a dict"),
        (
            {"type": "json_schema", "json_schema": {"schema": {"type": "no such type"}}},
            "response_format.json_schema.schema cannot be made a grammar: ",
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nowhere"}}},
            "response_format.json_schema.schema cannot be made a grammar: ",
        ),
    ],
)
def test_formats_refused(response_format, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        answer_grammar(response_format, None)


def test_a_tools_schema_is_refused_by_name():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "no such type"}}}
    with pytest.raises(PromptError, match="the tool's parameters cannot be made a grammar: "):
        answer_grammar(None, tool)
