"""Random texts for plates and slips."""

from __future__ import annotations

import random

from .words import CODE_LETTERS, DIGITS, FIELDS, NAMES, WORDS


def plate_text(rng: random.Random) -> tuple[str, str]:
    """A kind and a text for a sign or badge."""
    kind = rng.choices(("number", "code", "word"), (5, 3, 3))[0]
    if kind == "number":
        return kind, _digits(rng, rng.choice((2, 3, 3, 4)))
    if kind == "code":
        code = [rng.choice(CODE_LETTERS), rng.choice(DIGITS), rng.choice(CODE_LETTERS + DIGITS)]
        return kind, "".join(code)
    return kind, rng.choice(WORDS)


def field_text(rng: random.Random, field: str) -> tuple[str, str]:
    """A kind and a value for a field of a slip."""
    kind = FIELDS[field]
    if kind == "amount":
        return kind, f"{_digits(rng, rng.choice((1, 2)))}.{rng.choice(DIGITS)}"
    if kind == "day":
        return kind, f"{rng.randint(1, 28)}.{rng.randint(1, 9)}"
    if kind == "place":
        return kind, rng.choice(CODE_LETTERS) * rng.randint(0, 1) + _digits(rng, rng.choice((1, 2)))
    return kind, rng.choice(NAMES)


def _digits(rng: random.Random, count: int) -> str:
    return rng.choice(DIGITS[1:]) + "".join(rng.choices(DIGITS, k=count - 1))
