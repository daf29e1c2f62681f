"""JSON that stands for any Python value, and changes of it that leave it JSON."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


#: ``{"$": name}`` stands for what JSON has no word for.
HOSTILE = {
    "nan": lambda: math.nan,
    "huge": lambda: 10**5000,
    "bytes": lambda: b"\x89PNG",
    "set": lambda: {1, 2},
    "object": object,
    "type": lambda: dict,
    "bytearray": lambda: bytearray(b"a"),
    "array": lambda: np.zeros((2, 2, 3), np.uint8),
    "image": lambda: Image.new("RGB", (2, 2)),
    "cycle": _cycle,
    "number_keys": lambda: {1: 2, None: 3},
    "generator": lambda: (part for part in "ab"),
}
STRINGS = ("", "a", "\ud800", "\0", "\ue000", "<image>", "</s>", "{{ 7 }}", "é" * 3, "1e999", "-0", "x" * 300)
ATOMS: tuple[Any, ...] = (None, True, False, 0, -1, 1, 0.5, 2**63, 1e308, [], {}, *STRINGS)


def loads(data: bytes) -> Any:
    """The value. Raises ValueError or RecursionError for what is no JSON."""
    return json.loads(data, object_hook=_hostile)


def _hostile(item: dict[str, Any]) -> Any:
    name = item.get("$")
    return HOSTILE[name]() if isinstance(name, str) and name in HOSTILE else item


def mutated(data: bytes, words: Sequence[str], rng: random.Random) -> bytes:
    """The JSON with one to three places changed; other bytes come back as they are."""
    try:
        value = json.loads(data)
        for _ in range(rng.randint(1, 3)):
            value = _changed(value, words, rng)
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return data


def _changed(value: Any, words: Sequence[str], rng: random.Random) -> Any:
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return rng.choice((_replaced, _replaced, _replaced, _doubled, _dropped))(value, at, words, rng)
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.2:
            return {**value, rng.choice(words): _atom(words, rng)}
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: _changed(value[key], words, rng)}
    return _atom(words, rng) if rng.random() < 0.8 else rng.choice(([value], {"$": value}, [value, value]))


def _replaced(items: list[Any], at: int, words: Sequence[str], rng: random.Random) -> list[Any]:
    return [*items[:at], _changed(items[at], words, rng), *items[at + 1 :]]


def _doubled(items: list[Any], at: int, words: Sequence[str], rng: random.Random) -> list[Any]:
    return [*items[: at + 1], *items[at:]]


def _dropped(items: list[Any], at: int, words: Sequence[str], rng: random.Random) -> list[Any]:
    return [*items[:at], *items[at + 1 :]]


def _atom(words: Sequence[str], rng: random.Random) -> Any:
    return rng.choice((rng.choice(ATOMS), rng.choice(words), {"$": rng.choice(list(HOSTILE))}))
