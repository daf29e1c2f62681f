"""The built-in tasks: drawn pictures whose photographs, fonts and seeds training never saw."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from itertools import count

from PIL import Image

from ..errors import HiredError
from ..scenes import Question, Scene, make_scene
from ..scenes.questions import questions
from ..scenes.scene import Box
from .tasks import EvalPicture, EvalQuestion

SPLIT = "held-out"
#: How many questions of a kind one picture gets at most. About one in three has a slip with values.
PER_PICTURE = {"read": 1, "value": 3, "count": 1, "colour": 2, "yes-no": 1, "position": 2}
KINDS = tuple(PER_PICTURE)
SMALLEST_TILE = 168  # pixels: slips do not fit a smaller one
BARREN = 1000  # pictures in a row without a question that is still wanted


def builtin_pictures(n: int, seed: int = 0, tile: int = 168) -> list[EvalPicture]:
    """Pictures with ``n`` questions in all, as many of each kind, give or take one.

    ``tile`` is the edge of the model's partitions in pixels: texts are as small as it can just read. The same
    arguments give the same pictures and questions. Raises HiredError if photographs or fonts are missing.
    """
    tile = max(tile, SMALLEST_TILE)
    wanted = Counter({kind: n // len(KINDS) + (i < n % len(KINDS)) for i, kind in enumerate(KINDS)})
    pictures: list[EvalPicture] = []
    barren = 0
    for index in count():
        if not wanted.total():
            return pictures
        scene = make_scene(SPLIT, seed, index, tile=tile)
        asked = _choose(scene, wanted, random.Random(f"questions/{seed}/{index}"))
        barren = 0 if asked else barren + 1
        if barren > BARREN:
            raise HiredError(
                f"[eval] {BARREN} drawn pictures in a row have none of the questions wanted: {+wanted}"
            )
        if asked:
            found = tuple(
                EvalQuestion(f"{index}.{i}", q.text, (q.answer,), q.kind, _characters(scene, q))
                for i, q in enumerate(asked)
            )
            pictures.append(EvalPicture(f"{SPLIT}/{seed}/{index}", partial(_draw, seed, index, tile), found))
    raise AssertionError("count() never ends")


def _choose(scene: Scene, wanted: Counter[str], rng: random.Random) -> list[Question]:
    chosen: list[Question] = []
    room = Counter(PER_PICTURE)
    for question in questions(scene, rng):
        if wanted[question.kind] > 0 and room[question.kind] > 0:
            wanted[question.kind] -= 1
            room[question.kind] -= 1
            chosen.append(question)
    return sorted(chosen, key=lambda question: KINDS.index(question.kind))


def _characters(scene: Scene, question: Question) -> tuple[Box, ...]:
    """Where the text is that is asked for."""
    if question.kind not in ("read", "value"):
        return ()
    of_kind = [item for item in scene.items if (item.shape == "slip") == (question.kind == "value")]
    (item,) = (i for i in of_kind if i.text == question.answer and i.name in question.text)
    return tuple(box for _, box in item.characters)


def _draw(seed: int, index: int, tile: int) -> Image.Image:
    return make_scene(SPLIT, seed, index, tile=tile).image
