"""Schemas: each is served, and then the answer is by it, or refused by the keyword."""

from __future__ import annotations

import json
import re

import llama_cpp
import numpy as np
import pytest
from bare_handler import TEXT_ONLY

from hired_gguf import Answer
from hired_gguf.context.run import Run
from hired_gguf.prompt.json_schema import violation
from hired_gguf.qa.schema import load_schema, parse_answer

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

NODE = {"type": "object", "properties": {"v": {"type": "boolean"}}, "required": ["v"]}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "v": {"enum": [1, 2]},
                "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
            },
            "required": ["v", "next"],
            "additionalProperties": False,
        }
    },
}

#: Schemas whose every answer must follow them, whatever the model would like to say.
SERVED = {
    "emoji": {"enum": ["😀", "👩‍👧", "é"]},
    "quotes": {"enum": ['say "yes"', "it's", '"']},
    "backslashes": {"enum": ["a\\b", "\\", "\\n", "C:\\temp"]},
    "control characters": {"enum": ["a\nb", "\t", "\x07", "\x7f"]},
    "a constant text": {"const": 'a\\"b\n😀'},
    "a property with a backslash": {
        "type": "object",
        "properties": {"a\\b": {"type": "boolean"}, 'c"d': {"enum": [1]}, "é😀": {"type": "null"}},
        "required": ["a\\b", 'c"d', "é😀"],
        "additionalProperties": False,
    },
    "numbers": {"enum": [1, -2.5, 1e30, 0]},
    "mixed": {"enum": [None, True, 7, "x", [1, "a"], {"k": "v"}]},
    "a constant number": {"const": 3.25},
    "a constant list": {"const": [1, {"a": "\\"}]},
    "digits": {"type": "string", "pattern": "^\\d{2,4}$"},
    "classes": {"type": "string", "pattern": "^[A-F\\-]\\w\\s?[^a-z\\d]$"},
    "alternatives": {"type": "string", "pattern": "^(yes|no|per\\.haps)$"},
    "recursion": TREE,
    "nothing more": {**NODE, "additionalProperties": False},
    "more of a type": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": {"type": "boolean"},
        "maxProperties": 3,
    },
    "lengths": {"type": "string", "minLength": 2, "maxLength": 5},
    "items": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    "a tuple": {
        "type": "array",
        "prefixItems": [{"const": 1}, {"type": "boolean"}],
        "items": False,
        "minItems": 2,
    },
    "bounds": {"type": "integer", "minimum": 3, "maximum": 17},
    "open bounds": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.25},
    "several types": {"type": ["null", "boolean"]},
    "any of": {"anyOf": [{"const": "a"}, {"type": "boolean"}]},
    "one of": {"oneOf": [{"const": "a"}, {"type": "boolean"}]},
    "all of": {"allOf": [NODE, {"properties": {"w": {"const": 1}}, "required": ["w"]}], "maxProperties": 2},
    "dates": {"type": "string", "format": "date"},
    "optional": {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 2}},
        "additionalProperties": False,
    },
    "definitions": {"definitions": {"x": {"const": "x"}}, "$ref": "#/definitions/x"},
    "a tuple of an older draft": {"type": "array", "items": [{"const": 1}, {"type": "null"}], "minItems": 2},
    "a bound of an older draft": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "integer",
        "minimum": 1,
        "exclusiveMinimum": True,
        "maximum": 3,
    },
    "an anchor": {"$defs": {"x": {"$anchor": "b", "const": 2}}, "$ref": "#b"},
    "letters": {"type": "string", "pattern": "^\\p{Lu}{2}[[:alpha:]]$"},
    "many": {"type": "array", "items": {"const": 1}, "maxItems": 10**9},
    "what says nothing": {
        "title": "T",
        "description": "D",
        "examples": [1],
        "default": 1,
        "x-mine": 2,
        "const": True,
    },
}


class Whims:
    """A logits processor: it would like to say anything at all, and to stop soon."""

    def __init__(self, seed, ends):
        self._random, self._ends, self._steps = np.random.default_rng(seed), ends, 0

    def __call__(self, ids, scores):
        self._steps += 1
        wished = self._random.normal(0, 10, len(scores)).astype(np.single)
        wished[self._ends] += 5
        return wished


def answer_of(llama, schema, seed, limit=200):
    wishes = llama_cpp.LogitsProcessorList([Whims(seed, [*range(3 + ord("}"), 3 + ord("}") + 1), 2])])
    completion = llama.chat_handler(
        llama=llama,
        messages=TEXT_ONLY,
        response_format={"type": "json_schema", "json_schema": {"schema": schema}},
        max_tokens=limit,
        temperature=0,
        logits_processor=wishes,
    )["choices"][0]
    run = Run()
    run.completion_tokens = limit
    return Answer(completion["message"]["content"], completion["finish_reason"], run)


@pytest.mark.parametrize("kind", SERVED)
def test_an_answer_follows_its_schema(llama, kind):
    load_schema(SERVED[kind])
    whole = 0
    for seed in range(4):
        answer = answer_of(llama, SERVED[kind], seed)
        if answer.finish_reason == "stop":
            whole += 1
            value = parse_answer(answer, SERVED[kind])
            assert violation(value, SERVED[kind]) is None
            if "enum" in SERVED[kind]:
                assert value in SERVED[kind]["enum"]
    assert whole


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "array"},
        {"type": "string"},
        {},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    ],
)
def test_free_text_holds_no_raw_control_character(llama, schema):
    for seed in range(3):
        answer = answer_of(llama, schema, seed, limit=60)
        text = answer.text
        if answer.finish_reason == "stop" and not re.search(r"[eE]\+?\d{3}", text):  # no float holds it
            assert violation(parse_answer(answer, schema), schema) is None
        strings = re.findall(r'"(?:[^"\\]|\\.)*"?', text, re.DOTALL)
        assert not any(c < " " for string in strings for c in string)


def test_a_tool_and_json_object_go_the_same_way(llama):
    schema = {
        "type": "object",
        "properties": {"a\\b": {"const": "😀"}},
        "required": ["a\\b"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    call = llama.create_chat_completion(
        TEXT_ONLY, tools=[tool], tool_choice="required", max_tokens=60, temperature=0
    )
    arguments = call["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"a\\b": "😀"}
    answer = llama.create_chat_completion(
        TEXT_ONLY, response_format={"type": "json_object", "schema": schema}, max_tokens=60, temperature=0
    )
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"a\\b": "😀"}
