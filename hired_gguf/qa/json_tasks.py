"""Tasks from JSON: an object a line, a list, or objects over several lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..errors import InputError


def json_tasks(lines: list[tuple[int, str]], name: str) -> list[dict[str, Any]]:
    """The objects of a file's lines. Raises InputError, naming file, and line or number of the object."""
    full = [(number, line) for number, line in lines if line.strip()]
    if full and _is_whole(full[0][1]):
        return [json_object(line, f"{name}, line {number}") for number, line in full]
    values = list(_values("".join(line for _, line in lines), name))
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return [
        _as_object(value, f"{name}, item {number}", "an object") for number, value in enumerate(values, 1)
    ]


def _is_whole(line: str) -> bool:
    """Whether a line is JSON by itself, and no list."""
    try:
        return not isinstance(json.loads(line), list)
    except (ValueError, RecursionError):
        return False


def _values(text: str, name: str) -> Iterator[Any]:
    """The JSON values that stand one after the other in a text."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            raise InputError(f"{name}, line {line} is not JSON: {getattr(error, 'msg', error)}") from None
        yield value


def json_object(line: str, where: str) -> dict[str, Any]:
    """The JSON object of a line; NaN in it is a number, as pandas and json.dumps write what is missing.

    Raises InputError, naming where it stands.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from None
    return _as_object(value, where, "one object a line")


def _as_object(value: Any, where: str, needed: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} is a JSON {type(value).__name__}; needed is {needed}")
    return value
