"""What an answer's JSON is held to. `json_schema` makes it, whose libraries are loaded for schemas alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JsonGrammar:
    """The grammar of a schema, in llguidance's own text."""

    text: str
