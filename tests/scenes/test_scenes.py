"""Drawn pictures: the same every time, everything in its place, no question with two answers."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from hired_gguf._core import make_tiling
from hired_gguf.scenes import make_scene
from hired_gguf.scenes.assets import PHOTOGRAPHS, SPLITS, fonts
from hired_gguf.scenes.geometry import cover, most, moved, shows, views
from hired_gguf.scenes.layout import pinpoints
from hired_gguf.scenes.questions import questions
from hired_gguf.scenes.words import FIELDS, PLATES, SHAPES

TILE, PATCH = 168, 14
SEED = 5
# Of both splits and both densities.
SCENES = [(split, i, crowded) for i, split in enumerate(SPLITS * 6) for crowded in (False, True)]
EDGE = 1.5  # pixels, for rounding and turned corners


@cache
def scene(split, index, crowded=False):
    return make_scene(split, SEED, index, tile=TILE, crowded=crowded)


def tiling_of(picture):
    return make_tiling((picture.height, picture.width), pinpoints(TILE), TILE, PATCH)


def test_same_arguments_same_picture():
    first, again = scene("held-out", 1), make_scene("held-out", SEED, 1, tile=TILE)
    assert np.array_equal(first.image, again.image)
    assert first.items == again.items
    other = make_scene("held-out", SEED + 1, 1, tile=TILE)
    assert other.items != first.items


def test_splits_share_no_photograph_and_no_font():
    assert not {*PHOTOGRAPHS["train"]} & {*PHOTOGRAPHS["held-out"]}
    assert not {*fonts("train")} & {*fonts("held-out")}
    assert all(path.is_file() for split in SPLITS for path in fonts(split))


@pytest.mark.parametrize("which", SCENES)
def test_everything_lies_inside_the_picture(which):
    drawn = scene(*which)
    width, height = drawn.image.size
    for item in drawn.items:
        for left, top, right, bottom in [item.box, *(box for _, box in item.characters)]:
            assert -EDGE <= left < right <= width + EDGE
            assert -EDGE <= top < bottom <= height + EDGE
        assert item.text == "".join(character for character, _ in item.characters)


@pytest.mark.parametrize("which", SCENES)
def test_things_do_not_overlap(which):
    things = [item for item in scene(*which).items if not item.field]
    lines = [item for item in scene(*which).items if item.field]
    for a, b in [*combinations(things, 2), *((a, b) for a in things for b in lines)]:
        (left, top, right, bottom), other = a.box, b.box
        assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@pytest.mark.parametrize("which", SCENES)
def test_nothing_crosses_the_border_of_two_tiles(which):
    drawn = scene(*which)
    tiling = tiling_of(drawn.image)
    for item in drawn.items:
        boxes = [moved(item.box, transform) for partition, transform in views(tiling) if partition]
        inside = [min(*box) >= -EDGE and max(*box) <= TILE + EDGE for box in boxes]
        assert sum(inside) == 1


@pytest.mark.parametrize("which", SCENES)
def test_no_two_things_are_asked_for_by_the_same_name(which):
    drawn = scene(*which)
    names = [item.name for item in drawn.items if item.shape in (*PLATES, "slip")]
    assert len(names) == len(set(names))
    assert {item.field for item in drawn.of("slip")} <= {*FIELDS}
    assert {item.shape for item in drawn.items} <= {*SHAPES, "slip"}


@pytest.mark.parametrize("which", SCENES)
def test_no_question_has_two_answers(which):
    drawn = scene(*which)
    answers = defaultdict(set)
    for seed in range(8):
        for question in questions(drawn, random.Random(seed)):
            answers[question.text].add(question.answer)
    assert answers
    assert all(len(found) == 1 for found in answers.values())


@pytest.mark.parametrize("which", SCENES)
def test_answers_are_true(which):
    drawn = scene(*which)
    for question in questions(drawn, random.Random(0)):
        items = [item for item in drawn.items if item.name in question.text]
        if question.kind in ("read", "value"):
            assert question.answer in [item.text for item in items]
        elif question.kind == "yes-no":
            assert question.answer == ("yes" if items else "no")
        elif question.kind == "count":
            (shape,) = (shape for shape in SHAPES if f"{shape}s" in question.text)
            assert question.answer == str(len(drawn.of(shape)))
        elif question.kind == "colour":
            shape = next(shape for shape in SHAPES if shape in question.text)
            there = [i for i in drawn.of(shape) if not i.text or f"says {i.text}?" in question.text]
            assert [question.answer] == [item.colour for item in there]
        else:
            (item,) = items
            axis = 0 if "left" in question.text else 1
            first = item.centre[axis] < drawn.image.size[axis] / 2
            assert question.answer == (("left", "right"), ("above", "below"))[axis][not first]


def test_cover_counts_square_pixels():
    inside = cover((10, 20, 30, 24), 3, 14)
    assert inside.tolist() == [[0, 0, 0], [4 * 4, 14 * 4, 2 * 4], [0, 0, 0]]
    assert most(inside).tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert not most(cover((-20, -20, -4, -4), 3, 14)).any()


def test_views_put_a_place_into_its_tile():
    """A picture of 2 x 2 tiles exactly: the transforms only shift."""
    tiling = make_tiling((2 * TILE, 2 * TILE), pinpoints(TILE), TILE, PATCH)
    found = dict(views(tiling))
    box = (TILE + 14.0, 28.0, TILE + 28.0, 42.0)
    assert moved(box, found[2]) == (14, 28, 28, 42)
    assert moved(box, found[0]) == tuple(side / 2 for side in box)
    side = TILE // PATCH
    spots = np.argwhere(shows(box, found[2], side, PATCH))
    assert spots.tolist() == [[2, 1]]
    assert not shows(box, found[1], side, PATCH).any()
