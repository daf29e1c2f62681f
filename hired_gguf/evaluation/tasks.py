"""Pictures with questions whose answers are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from ..scenes.scene import Box


@dataclass(frozen=True)
class EvalQuestion:
    """A question; any of its ``answers`` is right.

    ``characters`` are the boxes of what must be read for it, in pixels of the picture, where that is known.
    """

    id: str | int
    text: str
    answers: tuple[str, ...]
    kind: str = "other"
    characters: tuple[Box, ...] = ()


@dataclass(frozen=True, eq=False)
class EvalPicture:
    """A picture, decoded or drawn when ``load`` is called, and the questions about it."""

    name: str
    load: Callable[[], Image.Image]
    questions: tuple[EvalQuestion, ...]


def count(pictures: Sequence[EvalPicture]) -> int:
    """How many questions there are."""
    return sum(len(picture.questions) for picture in pictures)


def sample(pictures: Sequence[EvalPicture], n: int, seed: int) -> list[EvalPicture]:
    """``n`` random questions, in their order; all of them if there are no more."""
    places = [(i, j) for i, picture in enumerate(pictures) for j in range(len(picture.questions))]
    chosen = set(random.Random(f"sample/{seed}").sample(places, min(n, len(places))))
    thinned = [
        replace(picture, questions=tuple(q for j, q in enumerate(picture.questions) if (i, j) in chosen))
        for i, picture in enumerate(pictures)
    ]
    return [picture for picture in thinned if picture.questions]
