"""Schemas: each is served, and then the answer is by it, or refused by the keyword."""

from __future__ import annotations

import json
import re

import llama_cpp
import numpy as np
import pytest
from bare_handler import TEXT_ONLY

from hired_gguf import Answer, PromptError
from hired_gguf.context.run import Run
from hired_gguf.errors import AnswerError
from hired_gguf.prompt.json_schema import schema_grammar, violation
from hired_gguf.qa.schema import load_schema, parse_answer

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


#: Schemas that cannot be served, and what is said of them.
REFUSED = {
    "unique items": ({"type": "array", "uniqueItems": True}, "no grammar serves the keyword 'uniqueItems'"),
    "not": ({"not": {"type": "string"}}, "no grammar serves the keyword 'not'"),
    "if": ({"if": {}, "then": {}, "else": {}}, "no grammar serves the keyword 'else', 'if', 'then'"),
    "contains": ({"type": "array", "contains": {"type": "null"}}, "the keyword 'contains'"),
    "names": ({"type": "object", "propertyNames": {"pattern": "^a"}}, "the keyword 'propertyNames'"),
    "dependent": ({"dependentRequired": {"a": ["b"]}}, "the keyword 'dependentRequired'"),
    "deep": ({"properties": {"a": {"items": {"not": {}}}}}, "the keyword 'not'"),
    "look-ahead": ({"type": "string", "pattern": "^(?=a)b$"}, "look-around"),
    "no regex": ({"type": "string", "pattern": "("}, "schema cannot be made a grammar: "),
    "no type": ({"type": "no such type"}, "it is no JSON schema: $.type"),
    "a wrong bound": ({"type": "string", "minLength": "two"}, "it is no JSON schema: $.minLength"),
    "a draft's bound": ({"type": "number", "exclusiveMinimum": True}, "it is no JSON schema"),
    "required once": ({"type": "object", "required": True}, "it is no JSON schema: $.required"),
    "nowhere": ({"$ref": "#/nowhere"}, "Pointer '/nowhere' does not exist"),
    "elsewhere": ({"$ref": "http://127.0.0.1/x"}, "Default retriever does not fetch resources"),
    "nothing": ({"enum": []}, "cannot be made a grammar"),
    "never": ({"type": "array", "minItems": 5, "maxItems": 2}, "minItems (5) is greater than maxItems (2)"),
    "format": ({"type": "string", "format": "weird"}, "Unknown format: weird"),
    "lenient": ({"x-guidance": {"lenient": True}, "not": {}}, "the keyword 'not'"),
    "too long": (
        {"type": "string", "maxLength": 10**12},
        "minLength, maxLength or a count in a pattern is too",
    ),
    "a number": (7, "it is 7; it must be an object"),
    "a draft of nobody": ({"$schema": "http://127.0.0.1/x"}, "Default retriever does not fetch"),
    "no draft": ({"$schema": 7}, "$schema is 7; it must be the address of a draft"),
    "unevaluated": ({"unevaluatedProperties": False}, "the keyword 'unevaluatedProperties'"),
    "infinite": ({"const": float("inf")}, "cannot be made a grammar: "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_schema_that_cannot_be_served_is_refused_by_name(llama, kind):
    schema, words = REFUSED[kind]
    with pytest.raises(PromptError, match=re.escape(words)) as refused:
        schema_grammar(schema, "schema")
    assert "\n" not in str(refused.value)
    with pytest.raises(PromptError, match=re.escape(words)):
        answer_of(llama, schema, 0)


def test_a_schema_too_deep_is_refused():
    deep = {}
    for _ in range(2000):
        deep = {"items": deep}
    with pytest.raises(PromptError, match="cannot be made a grammar"):
        schema_grammar(deep, "schema")


def test_equal_schemas_are_compiled_once():
    assert schema_grammar({"const": 1}, "a") is schema_grammar({"const": 1}, "b")


# What an answer holds


def given(text, reason="stop"):
    run = Run()
    run.completion_tokens = 7
    return Answer(text, reason, run)


@pytest.mark.parametrize(
    ("text", "schema", "words"),
    [
        (
            '{"size": 12}',
            {"properties": {"size": {"maximum": 10}}},
            "$.size: 12 is greater than the maximum of 10",
        ),
        ('["a", 1]', {"items": {"type": "string"}}, "$[1]: 1 is not of type 'string'"),
        ("1", {"oneOf": [{"type": "number"}, {"type": "integer"}]}, "is valid under each of"),
        ("{}", {"required": ["a\\b"]}, "is a required property"),
        ('{"a": 1, "a": 2}', {}, "an object names 'a' twice"),
        ("1e999", {}, "the number 1e999 is too large"),
        ("yes", {}, "the answer is no JSON: "),
        ("", {}, "the answer is no JSON: "),
    ],
)
def test_a_wrong_answer_is_told_from_one_cut_off(text, schema, words):
    with pytest.raises(AnswerError, match=re.escape(words)) as failed:
        parse_answer(given(text), schema)
    assert "max_tokens" not in str(failed.value)


@pytest.mark.parametrize("text", ['{"a": "x', "[1, 2", '"a\\', ""])
def test_an_answer_cut_off_advises_more_tokens(text):
    with pytest.raises(
        AnswerError, match=r"ends after 7 tokens \(length\) and is not whole JSON: .*raise max_tokens"
    ):
        parse_answer(given(text, "length"), {})


def test_a_whole_answer_at_the_limit_is_an_answer():
    assert parse_answer(given("[1]", "length"), {}) == [1]


def test_a_reference_elsewhere_is_not_fetched():
    assert "cannot be held against its schema" in violation(1, {"$ref": "http://127.0.0.1:9/x"})


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
