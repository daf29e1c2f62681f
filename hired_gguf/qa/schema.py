"""JSON schemas: read, made into grammars, and answers made into values that follow them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..chat.answer import Answer
from ..errors import AnswerError, InputError
from ..files import given_path
from ..prompt.json_grammar import JsonGrammar

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
        with Path(given_path(path)).open("rb") as file:
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


def make_grammar(schema: Mapping[str, Any]) -> JsonGrammar:
    """The grammar of a schema. Raises PromptError."""
    from ..prompt.json_schema import schema_grammar  # noqa: PLC0415  its libraries take long to load

    return schema_grammar(schema, "schema")


def parse_answer(answer: Answer, schema: Mapping[str, Any]) -> Any:
    """The value that an answer by a schema holds.

    Raises AnswerError where it was cut off, and where it is not what the schema wants.
    """
    try:
        value = json.loads(answer.text, object_pairs_hook=_object, parse_float=_number)
    except (ValueError, RecursionError) as error:
        if answer.finish_reason == "length":
            where = f"ends after {answer.completion_tokens} tokens (length)"
            remedy = "raise max_tokens, or n_ctx where the context is full"
            raise AnswerError(f"the answer {where} and is not whole JSON: {error}; {remedy}") from None
        raise AnswerError(f"the answer is no JSON: {error}") from None
    from ..prompt.json_schema import violation  # noqa: PLC0415

    if wrong := violation(value, schema):
        raise AnswerError(f"the answer is JSON but not by its schema: {wrong}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object names {twice!r} twice")
    return dict(pairs)


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text} is too large")
    return value
