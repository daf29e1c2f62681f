"""JSON by a schema: the grammar that an answer is held to, and whether a value is what the schema wants.

The grammar is llguidance's: it serves strings, numbers, patterns and recursion as they are in JSON, and says
so of a keyword that it cannot serve. What only a whole value shows (``oneOf``), jsonschema looks at.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend, validator_for
from llguidance import LLMatcher
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..errors import PromptError
from .json_grammar import JsonGrammar

# A blank, or a line break with its indent, as models write them; without a bound one could go on for ever.
_OPTIONS = {"whitespace_pattern": r"([ ]|\n[ \t]{0,20})?", "coerce_one_of": True, "lenient": False}
_DRAFTS = (Draft202012Validator, Draft7Validator, Draft4Validator)


def schema_grammar(schema: Any, where: str) -> JsonGrammar:
    """The grammar of a JSON schema. Raises PromptError naming ``where`` and what cannot be served."""
    try:
        return _grammar(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise PromptError(f"{where} cannot be made a grammar: {' '.join(str(error).split())}") from None


@lru_cache(maxsize=64)
def _grammar(text: str) -> JsonGrammar:
    schema = json.loads(text)
    if not isinstance(schema, dict):
        raise ValueError(f"it is {_short(text)}; it must be an object")
    draft = _draft(schema)
    if draft is not None:
        schema.setdefault("$schema", draft.META_SCHEMA["$schema"])
    grammar = LLMatcher.grammar_from_json_schema(schema, overrides=_OPTIONS)  # type: ignore[arg-type]
    failed, said = LLMatcher.validate_grammar_with_warnings(grammar)
    if failed:
        raise ValueError(_reason(said[0]))
    return JsonGrammar(grammar)


def _draft(schema: Any) -> Any:
    """The draft that a schema names, else the newest that takes it: some tools still write older ones."""
    if "$schema" not in schema:
        fitting = (draft for draft in _DRAFTS if _fault(draft, schema) is None)
        return next(fitting, None) or _fail(_DRAFTS[0], schema)
    if not isinstance(schema["$schema"], str):
        raise ValueError(f"$schema is {schema['$schema']!r}; it must be the address of a draft")
    named = validator_for(schema, default=None)
    return named if named is None or _fault(named, schema) is None else _fail(named, schema)


def _fault(draft: Any, schema: Any) -> SchemaError | None:
    try:
        draft.check_schema(
            schema, format_checker=FormatChecker(())
        )  # Python's regular expressions are others
    except SchemaError as error:
        return error
    return None


def _fail(draft: Any, schema: Any) -> NoReturn:
    error = _fault(draft, schema)
    assert error is not None
    raise ValueError(f"it is no JSON schema: {error.json_path} {_short(error.message)}")


def _reason(said: str) -> str:
    """llguidance's words; of a keyword that it does not know, which."""
    if keys := re.match(r"Unimplemented keys: (\[.*\])", said):
        names = ", ".join(map(repr, sorted(json.loads(keys[1]))))
        return f"no grammar serves the keyword {names}; leave it out, and check the answer yourself"
    if "decimal literal invalid" in said:
        return f"minLength, maxLength or a count in a pattern is too large: {said}"
    return said


def violation(value: Any, schema: Any) -> str | None:
    """Where a value is not what the schema wants, and what it wants; None for a value that is right."""
    kind = extend(_draft(schema) or _DRAFTS[0], {"pattern": _pattern})
    try:
        error = best_match(kind(schema, registry=Registry()).iter_errors(value))  # which fetches nothing
    except (Unresolvable, RecursionError, re.error) as failure:
        return f"cannot be held against its schema: {failure}"
    return None if error is None else f"{error.json_path}: {_short(error.message)}"


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """The keyword, where Python reads the pattern as llguidance does; else the grammar has seen to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        try:
            found = not isinstance(value, str) or re.search(pattern, value)
        except (re.error, FutureWarning):
            return
    if not found:
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "..."
