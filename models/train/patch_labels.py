"""What each patch of each partition shows: the targets of the vision encoder.

A patch has one class in each group, 0 for "nothing", `UNKNOWN` where nothing is to be learnt. A character
counts where most of it lies, and where at least `geometry.SHARE` of it does: what a patch says is what can be
seen in it or right beside it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from hired_gguf._core import Tiling
from hired_gguf.scenes import Item, Scene
from hired_gguf.scenes.geometry import Transform, cover, most, moved, shows, views
from hired_gguf.scenes.questions import CLEAR_OF_MIDDLE, MOST_COUNTED
from hired_gguf.scenes.scene import Box
from hired_gguf.scenes.words import CHARACTERS, COLOURS, FIELDS, LONGEST, SHAPES

from .sizes import PATCH, SIDE

UNKNOWN = 255
COUNTED = MOST_COUNTED + 2  # nothing said, 0 .. MOST_COUNTED
#: Groups and their numbers of classes, in the order of the last axis of `label`'s result.
GROUPS = {
    **{f"character {i}": len(CHARACTERS) + 1 for i in range(LONGEST)},  # the i-th of its text
    "length": LONGEST + 1,  # of the text
    "colour": len(COLOURS) + 1,
    "shape": len(SHAPES) + 2,  # also a slip
    "field": len(FIELDS) + 1,
    "view": 3,  # the full image, or a tile
    # Of the full image alone, which sees it all:
    "across": 4,  # the thing is left of the middle, in it, right of it
    "down": 4,  # above, in it, below
    **{f"{shape}s": COUNTED for shape in SHAPES},
}
NAMES = list(GROUPS)
COLOUR, SHAPE, FIELD = NAMES.index("colour"), NAMES.index("shape"), NAMES.index("field")
LENGTH, VIEW, ACROSS, DOWN = (NAMES.index(name) for name in ("length", "view", "across", "down"))
FIRST_COUNT = DOWN + 1
SLIP = len(SHAPES) + 1
FULL_VIEW, TILE_VIEW = 1, 2


def label(scene: Scene, tiling: Tiling) -> NDArray[np.uint8]:
    """Return the classes as [P, N, len(GROUPS)]."""
    out = np.zeros((tiling.partitions, SIDE * SIDE, len(GROUPS)), np.uint8)
    out[0, :, VIEW], out[1:, :, VIEW] = FULL_VIEW, TILE_VIEW
    for item in sorted(scene.items, key=lambda item: bool(item.text)):  # text wins over figures
        sides = _sides(item, scene)
        for partition, transform in views(tiling):
            _item(out[partition].reshape(SIDE, SIDE, -1), item, sides, transform)
    busy = out[0, :, SHAPE] > 0
    counts = Counter(item.shape for item in scene.items)
    for i, shape in enumerate(SHAPES):
        out[0, busy, FIRST_COUNT + i] = min(counts[shape], MOST_COUNTED) + 1
    out[1:, :, ACROSS : DOWN + 1] = 0
    for groups in (slice(LENGTH + 1), slice(FIELD, FIELD + 1)):
        text = out[0, :, groups]
        text[text > 0] = UNKNOWN  # too small there to be read: guessing is not to be learnt
    return out


def _sides(item: Item, scene: Scene) -> list[int]:
    """Before the picture's middle 1, in it 2, behind it 3: across and down."""
    places = (centre / size for centre, size in zip(item.centre, scene.image.size, strict=True))
    return [1 + (place > 0.5 - CLEAR_OF_MIDDLE) + (place >= 0.5 + CLEAR_OF_MIDDLE) for place in places]


def _item(grid: NDArray[np.uint8], item: Item, sides: list[int], transform: Transform) -> None:
    """Write one item into the patches [SIDE, SIDE, groups] of a partition."""

    def covered(box: Box) -> NDArray[np.float64]:
        return cover(moved(box, transform), SIDE, PATCH)

    facts = {LENGTH: len(item.text), ACROSS: sides[0], DOWN: sides[1]}
    if item.field:
        facts |= {SHAPE: SLIP, FIELD: list(FIELDS).index(item.field) + 1}
    else:
        facts |= {SHAPE: SHAPES.index(item.shape) + 1, COLOUR: list(COLOURS).index(item.colour) + 1}
    body = np.zeros((SIDE, SIDE), bool) if item.field else covered(item.box) >= 0.5 * PATCH * PATCH
    if item.label:
        body |= covered(item.label) >= 0.25 * PATCH * PATCH
    if not item.text:
        body |= most(covered(item.box))
    places = [shows(box, transform, SIDE, PATCH) for _, box in item.characters]
    for spot in places:
        body |= spot
    if not body.any():
        return
    grid[body, :VIEW] = 0
    for group, value in facts.items():
        grid[body, group] = value
    for i, ((character, _), spot) in enumerate(zip(item.characters, places, strict=True)):
        grid[spot, i] = CHARACTERS.index(character) + 1
