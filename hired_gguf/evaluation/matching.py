"""When an answer is right."""

from __future__ import annotations

from collections.abc import Iterable

QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb*_"
OPENING = QUOTES + "([{<"
CLOSING = QUOTES + ")]}>.,;:!?"


def normalise(text: str) -> str:
    """The text in lower case, one space between words, without punctuation and quotes around it.

    What belongs to a value stays: signs, currencies, per cent, and anything between its characters.
    """
    return " ".join(text.casefold().split()).lstrip(OPENING + " ").rstrip(CLOSING + " ")


def is_right(prediction: str, answers: Iterable[str]) -> bool:
    """Whether a text is one of the answers, both normalised."""
    return normalise(prediction) in {normalise(answer) for answer in answers}
