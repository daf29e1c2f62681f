"""Prompts of others: any JSON value as a list of messages, through every built-in template."""

from __future__ import annotations

import random
from collections import Counter

from hired_gguf.errors import PromptError
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import BUILT_IN, render

from . import json_values
from .target import Target

WORDS = (
    *("role", "content", "type", "text", "image", "image_url", "url", "system", "user", "assistant", "tool"),
    *("function", "tool_calls", "name", "images", "path", "detail", "source", "data", "input_image", "file"),
    *("data:image/png;base64,", "http://127.0.0.1/a.png"),
)


def run(data: bytes) -> None:
    """Every word and picture of the messages is in the prompt once, and no word became a template's."""
    try:
        messages = json_values.loads(data)
    except (ValueError, RecursionError):
        return
    turns = parse_messages(messages)
    parts = [part for turn in turns for part in turn.parts]
    refused = None
    for template in BUILT_IN.values():
        try:
            pieces = render(template, turns, "<s>", "</s>")
        except PromptError as error:
            refused = error
            continue
        assert _counted(pieces) == _counted(parts)
    if refused is not None:
        raise refused


def _counted(pieces: list[object]) -> Counter[object]:
    texts = [piece.text for piece in pieces if isinstance(piece, TextPart)]
    return Counter([*texts, *(id(piece.source) for piece in pieces if isinstance(piece, ImagePart))])


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Another list of messages."""
    return json_values.mutated(data, WORDS, rng)


TARGET = Target("messages", run, (PromptError,), max_length=4096, megabytes=64, words=WORDS, mutate=mutate)
