"""JSON by a schema: the grammar that an answer is held to, and whether a value is what the schema wants.

The grammar is llguidance's: it serves strings, numbers, patterns and recursion as they are in JSON, and says
so of a keyword that it cannot serve. What only a whole value shows (``oneOf``), jsonschema looks at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import validator_for
from llguidance import LLMatcher
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..errors import PromptError

# A blank, or a line break with its indent, as models write them; without a bound one could go on for ever.
_OPTIONS = {"whitespace_pattern": r"([ ]|\n[ \t]{0,20})?", "coerce_one_of": True}


@dataclass(frozen=True)
class JsonGrammar:
    """The grammar of a schema, in llguidance's own text."""

    text: str


def schema_grammar(schema: Any, where: str) -> JsonGrammar:
    """The grammar of a JSON schema. Raises PromptError naming ``where`` and what cannot be served."""
    try:
        return _grammar(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise PromptError(f"{where} cannot be made a grammar: {error}") from None


@lru_cache(maxsize=64)
def _grammar(text: str) -> JsonGrammar:
    schema = json.loads(text)
    _check(schema)
    grammar = LLMatcher.grammar_from_json_schema(text, overrides=_OPTIONS)  # type: ignore[arg-type]
    failed, said = LLMatcher.validate_grammar_with_warnings(grammar)
    if failed:
        raise ValueError(_reason(said[0]))
    return JsonGrammar(grammar)


def _check(schema: Any) -> None:
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"it is no JSON schema: {error.json_path} {_short(error.message)}") from None


def _reason(said: str) -> str:
    """llguidance's words; of a keyword that it does not know, which."""
    if keys := re.match(r"Unimplemented keys: (\[.*\])", said):
        names = ", ".join(map(repr, sorted(json.loads(keys[1]))))
        return f"no grammar serves the keyword {names}; leave it out, and check the answer yourself"
    return said


def violation(value: Any, schema: Any) -> str | None:
    """Where a value is not what the schema wants, and what it wants; None for a value that is right."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        error = best_match(kind(schema, registry=Registry()).iter_errors(value))  # which fetches nothing
    except (Unresolvable, RecursionError, re.error) as failure:
        return f"cannot be held against its schema: {failure}"
    return None if error is None else f"{error.json_path}: {_short(error.message)}"


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "..."
