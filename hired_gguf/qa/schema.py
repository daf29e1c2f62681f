"""JSON schemas: read, made into grammars that llama.cpp accepts, and answers made into objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import llama_cpp

from ..chat.answer import Answer
from ..errors import AnswerError, InputError, PromptError
from ..prompt.answer_formats import answer_grammar

MAX_BYTES = 1 << 20


def load_schema(value: Any) -> Mapping[str, Any]:
    """A schema from an object, its JSON text, or the path of a file that holds it.

    Raises InputError for what is none of them, PromptError for a schema that cannot be made a grammar.
    """
    if isinstance(value, str):
        text, where = (value, "schema") if value.lstrip().startswith("{") else (_read(value), repr(value))
        value = _parse(text, where)
    if not isinstance(value, Mapping):
        raise InputError(f"schema is a {type(value).__name__}; allowed: a JSON object, or the path of one")
    make_grammar(value)
    return value


@lru_cache(maxsize=64)
def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"schema {path!r} cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"schema {path!r} is longer than {MAX_BYTES} bytes")
    return data.decode("utf-8-sig", errors="replace")


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from None


def make_grammar(schema: Mapping[str, Any]) -> llama_cpp.LlamaGrammar:
    """The grammar of a schema. Raises PromptError."""
    try:
        return _grammar(json.dumps(schema))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, PromptError):
            raise
        raise PromptError(f"the schema is not JSON: {error}") from None


@lru_cache(maxsize=64)
def _grammar(text: str) -> llama_cpp.LlamaGrammar:
    spec = {"type": "json_schema", "json_schema": {"schema": json.loads(text)}}
    grammar = answer_grammar(spec, None)
    assert grammar is not None
    return grammar


def parse_answer(answer: Answer) -> Any:
    """The object that an answer by a schema holds. Raises AnswerError where it was cut off."""
    try:
        return json.loads(answer.text)
    except (ValueError, RecursionError) as error:
        where = f"ends after {answer.completion_tokens} tokens ({answer.finish_reason})"
        raise AnswerError(f"the answer {where} and is not whole JSON: {error}; raise max_tokens") from None
