"""Schemas that cannot be served, each refused by name; and answers that are not by theirs."""

from __future__ import annotations

import re

import pytest
from bare_handler import TEXT_ONLY

from hired_gguf import Answer, PromptError
from hired_gguf.context.run import Run
from hired_gguf.errors import AnswerError
from hired_gguf.prompt.json_schema import schema_grammar, violation
from hired_gguf.qa.schema import parse_answer

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
        llama.create_chat_completion(
            TEXT_ONLY, response_format={"type": "json_schema", "json_schema": {"schema": schema}}
        )


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
