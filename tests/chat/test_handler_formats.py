"""Answers of a given form from the handler: grammars, JSON by a schema, tools."""

from __future__ import annotations

import json

import llama_cpp
import pytest
from bare_handler import ANIMAL, TOOL, greedy, words
from golden_pair import answer_of, text_of

from hired_gguf import PromptError


def test_grammar(llama):
    grammar = llama_cpp.LlamaGrammar.from_string('root ::= "yes" | "no"', verbose=False)
    completion = greedy(llama, grammar=grammar)
    assert answer_of(completion) in ("yes", "no")
    assert completion["choices"][0]["finish_reason"] == "stop"


def test_a_grammar_that_llama_cpp_cannot_parse_is_an_error(llama):
    """Sampling by it would end the process."""
    broken = llama_cpp.LlamaGrammar.from_string("root ::= ((((", verbose=False)
    with pytest.raises(PromptError, match=r"cannot parse the grammar \(its root is 'root'\)"):
        greedy(llama, grammar=broken)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_schema", "json_schema": {"name": "animal", "schema": ANIMAL}},
        {"type": "json_object", "schema": ANIMAL},
    ],
    ids=["json_schema", "json_object"],
)
def test_json_of_a_schema(llama, response_format, stream):
    answer = greedy(llama, response_format=response_format, max_tokens=100, stream=stream)
    found = json.loads(text_of(answer) if stream else answer_of(answer))
    assert set(found) == {"animal", "seen"}
    assert found["animal"] in ("cat", "dog")
    assert isinstance(found["seen"], bool)


def test_json_object(llama):
    assert words(llama, response_format={"type": "json_object"}, max_tokens=40).lstrip()[0] == "{"


FORCED = {
    "tools": {
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "name_animal"}},
    },
    "required": {"tools": [TOOL], "tool_choice": "required"},
    "functions": {"functions": [TOOL["function"]], "function_call": {"name": "name_animal"}},
}


@pytest.mark.parametrize("form", FORCED)
def test_a_forced_tool_is_called(llama, form):
    choice = greedy(llama, max_tokens=100, **FORCED[form])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "name_animal"
    assert json.loads(call["function"]["arguments"])["animal"] in ("cat", "dog")
    assert choice["message"]["function_call"] == call["function"]


@pytest.mark.parametrize("form", FORCED)
def test_a_forced_tool_is_called_in_a_stream(llama, form):
    chunks = [chunk["choices"][0] for chunk in greedy(llama, max_tokens=100, stream=True, **FORCED[form])]
    assert chunks[0]["delta"]["role"] == "assistant"
    assert [chunk["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["tool_calls"]
    calls = [call for chunk in chunks for call in chunk["delta"].get("tool_calls") or []]
    assert {call["function"]["name"] for call in calls} == {"name_animal"}
    assert set(json.loads("".join(call["function"]["arguments"] for call in calls))) == {"animal", "seen"}


def test_a_tool_that_may_be_called_forces_nothing(llama):
    assert words(llama, tools=[TOOL], tool_choice="auto") == words(llama)
