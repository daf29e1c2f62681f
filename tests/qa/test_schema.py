"""Schemas of answers."""

from __future__ import annotations

import json

import pytest

from hired_gguf import InputError
from hired_gguf.qa.schema import load_schema

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_schemas_come_as_object_text_or_file(write):
    text = json.dumps(SCHEMA)
    assert load_schema(SCHEMA) == load_schema(text) == load_schema(write("s.json", text)) == SCHEMA


def test_a_huge_schema_is_not_read(write):
    with pytest.raises(InputError, match="longer than"):
        load_schema(write("s.json", b" " * (2 << 20)))
