"""Selections of one picture with the answers that came of them, drawn and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ..images.sources import ImageSource
from ..selection.selection import Selection
from .comparison import draw_comparison
from .numbers import attention_numbers, selection_numbers, tiling_numbers
from .overlay import overlay


@dataclass(frozen=True)
class Explained:
    """A selection, and the answer that came of it if there was a question."""

    selection: Selection
    answer: str | None = None


def draw_one(question: str | None, found: Sequence[Explained], picture: ImageSource) -> Image.Image:
    """The drawing of a single selection."""
    caption = "" if question is None else f"Question: {question}\nAnswer: {found[0].answer}"
    return overlay(found[0].selection, picture, caption)


def draw_all(question: str | None, found: Sequence[Explained], picture: ImageSource) -> Image.Image:
    """The drawing of several, side by side."""
    selections = [each.selection for each in found]
    if question is None:
        return draw_comparison(selections, picture)
    answers = [f"Answer: {each.answer}" for each in found]
    return draw_comparison(selections, picture, f"Question: {question}", answers)


def numbers(question: str | None, found: Sequence[Explained]) -> dict[str, Any]:
    """Everything for machines."""
    first = found[0].selection
    return {
        "question": question,
        "tiling": tiling_numbers(first.tiling),
        "attention": attention_numbers(first),
        "selections": [{**selection_numbers(each.selection), "answer": each.answer} for each in found],
    }
