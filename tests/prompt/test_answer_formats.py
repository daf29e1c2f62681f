"""Tools and grammars, before any model sees them."""

from __future__ import annotations

import re

import pytest

from hired_gguf.errors import PromptError
from hired_gguf.prompt.answer_formats import answer_grammar, as_tools, forced_tool
from hired_gguf.prompt.json_grammar import JsonGrammar

GRAPE = {"name": "grape", "parameters": {"type": "object", "properties": {}}}
PEAR = {"name": "pear", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": GRAPE}, {"type": "function", "function": PEAR}]


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
    assert isinstance(answer_grammar(response_format, None), JsonGrammar)
    assert isinstance(answer_grammar(response_format, TOOLS[0]), JsonGrammar)


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
