"""What each patch of a training picture shows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from train import patch_labels
from train.patch_labels import ACROSS, COLOUR, DOWN, FIELD, FIRST_COUNT, GROUPS, LENGTH, SHAPE, VIEW
from train.sizes import PATCH, SIDE, TILE, TOKENS, shape
from training import picture

from hired_gguf import _core
from hired_gguf.scenes import Item, Scene
from hired_gguf.scenes.words import CHARACTERS, COLOURS, FIELDS, SHAPES


def test_labels_of_a_picture_are_classes_of_their_groups():
    drawn = picture(0)
    assert drawn.labels.shape == (len(drawn.partitions), TOKENS, len(GROUPS))
    unread = np.zeros(drawn.labels.shape, bool)
    for groups in (slice(LENGTH + 1), FIELD):
        unread[0, :, groups] = drawn.labels[0, :, groups] > 0
    np.testing.assert_array_equal(drawn.labels == patch_labels.UNKNOWN, unread)
    assert (drawn.labels < list(GROUPS.values()))[~unread].all()
    assert drawn.labels[0, :, SHAPE].any()
    assert drawn.labels[1:, :, :LENGTH].any()


def labelled(*items):
    """Labels [P, side, side, groups] of a picture of 2 x 2 tiles, one pixel of it one of the canvas."""
    tiling = _core.make_tiling(
        (2 * TILE, 2 * TILE), [tuple(hw) for hw in np.reshape(shape(1).pinpoints, (-1, 2))], TILE, PATCH
    )
    scene = Scene(Image.new("1", (2 * TILE, 2 * TILE)), items)
    return patch_labels.label(scene, tiling).reshape(tiling.partitions, SIDE, SIDE, -1)


def patches(column, row, columns=1, rows=1):
    """A box that covers these patches exactly."""
    return tuple(PATCH * edge for edge in (column, row, column + columns, row + rows))


def test_a_sign_is_labelled_patch_by_patch():
    text = (("4", patches(2, 1)), ("B", patches(3, 1)))
    got = labelled(Item("sign", "red", patches(1, 1, 4, 2), "4B", "code", characters=text))
    full, first = got[0], got[1]
    assert not got[2:, ..., :VIEW].any()
    assert (got[0, ..., VIEW] == patch_labels.FULL_VIEW).all()
    assert (got[1:, ..., VIEW] == patch_labels.TILE_VIEW).all()
    body = np.zeros((SIDE, SIDE), bool)
    body[1:3, 1:5] = True
    red, sign = list(COLOURS).index("red") + 1, SHAPES.index("sign") + 1
    for group, value in ((COLOUR, red), (SHAPE, sign), (LENGTH, 2)):
        np.testing.assert_array_equal(first[..., group], value * body)
    for group, (column, row) in enumerate(((2, 1), (3, 1))):
        assert np.argwhere(first[..., group]).tolist() == [[row, column]]
        assert first[row, column, group] == CHARACTERS.index(text[group][0]) + 1
    assert not first[..., ACROSS:].any()
    # The full image at half the size: one patch of it is two by two of the tile.
    assert full[0, 1, :2].tolist() == [patch_labels.UNKNOWN] * 2  # too small to be read
    assert full[0, 1, [SHAPE, ACROSS, DOWN]].tolist() == [sign, 1, 1]
    counts = [1 + (name == "sign") for name in SHAPES]
    assert full[0, 1, FIRST_COUNT:].tolist() == counts
    assert not full[full[..., SHAPE] == 0][:, FIRST_COUNT:].any()


def test_a_line_of_a_slip_has_its_field():
    text = (("7", patches(9, 4)),)
    field = Item("slip", "", patches(9, 4), "7", "place", "room", text, label=patches(5, 4, 3))
    full, first = labelled(field)[:2]
    assert np.argwhere(first[..., FIELD]).tolist() == [[4, column] for column in (5, 6, 7, 9)]
    assert (first[4, [5, 6, 7, 9], FIELD] == list(FIELDS).index("room") + 1).all()
    assert (first[4, [5, 6, 7, 9], SHAPE] == patch_labels.SLIP).all()
    assert not first[..., COLOUR].any()
    assert set(full[full[..., SHAPE] > 0][:, FIELD]) == {patch_labels.UNKNOWN}  # too small to be read


@pytest.mark.parametrize(("place", "side"), [(0.43, 1), (0.45, 2), (0.55, 2), (0.57, 3)])
def test_a_thing_is_before_in_or_behind_the_middle(place, side):
    centre = place * 2 * TILE
    square = Item("square", "red", (centre - 10, 4, centre + 10, 24))
    full = labelled(square)[0]
    assert set(full[..., ACROSS].ravel()) == {0, side}
    assert set(full[..., DOWN].ravel()) == {0, 1}


def test_more_than_can_be_counted_is_one_class():
    got = labelled(*(Item("star", "blue", patches(2 * i, 3), "") for i in range(7)))
    stars = got[0, ..., FIRST_COUNT + SHAPES.index("star")]
    assert set(stars.ravel()) == {0, GROUPS["stars"] - 1}
