"""Batches for the language model: a picture's rows once, then conversations that do not see each other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hired_gguf import _core
from hired_gguf.scenes import Question, Scene
from hired_gguf.scenes.geometry import cover, moved, views
from hired_gguf.scenes.layout import pinpoints
from hired_gguf.scenes.questions import questions

from .patch_labels import SHAPE
from .prompts import Prompts, choose
from .render import Picture
from .sizes import PATCH, SIDE, TILE, TOKENS

if TYPE_CHECKING:
    from torch import Tensor

CONVERSATIONS, LONGEST = 9, 3  # of one picture; turns of one
ASKED = 5  # questions about a single partition
NEWLINE, NO_ROW = -1, -2
OVERVIEW = ("count", "position", "yes-no", "colour")  # what the full image's view alone can answer
DETAIL = ("read", "value", "yes-no", "colour")  # what a tile can
Tokens = tuple[list[int], list[int], list[int], list[int], list[int]]


@dataclass(frozen=True)
class Batch:
    """B sequences of L places.

    ``ids`` are tokens (0 where a row stands), ``rows`` index the batch's patches one after the other
    (`NEWLINE` for the newline row, `NO_ROW` for a token), ``targets`` the token to predict or -1.
    """

    ids: Tensor
    rows: Tensor
    positions: Tensor
    hidden: Tensor  # [B, 1, L, L], 0 or -inf
    targets: Tensor


def tiling_of(picture: Picture) -> _core.Tiling:
    """How it was cut."""
    width, height = picture.scene.image.size
    return _core.make_tiling((height, width), pinpoints(TILE), TILE, PATCH)


def packing(picture: Picture) -> list[int]:
    """Patch numbers of all partitions in the language model's order, -1 for a newline: nothing is dropped."""
    everything = np.ones(picture.labels.shape[:2], bool)
    return [int(i) for i in _core.pack_order(everything, tiling_of(picture), "auto")]


def whole_pictures(pictures: list[Picture], prompts: Prompts, rng: random.Random) -> Batch:
    """Fresh questions about each picture; its patches follow those of the pictures before."""
    made = []
    first = 0
    for picture in pictures:
        order, found = packing(picture), questions(picture.scene, rng)
        made.append(_sequence(order, first, found, prompts, rng))
        first += picture.labels.shape[0] * TOKENS
    return _padded(made)


def single_partitions(
    chosen: list[tuple[Picture, int]], prompts: Prompts, rng: random.Random, things: int
) -> Batch:
    """Fresh questions about single partitions, each like a picture of its own, with what it can answer.

    Only the patches with something in them stand there, like words; and only those of some ``things``.
    """
    made = []
    for i, (picture, partition) in enumerate(chosen):
        scene, there = _part(picture, partition, things, rng)
        busy = there & (picture.labels[partition, :, SHAPE] > 0)
        kinds = set(DETAIL if partition else OVERVIEW)
        if len(scene.items) < len(picture.scene.items):
            kinds.discard("count")  # of them all
        found = [question for question in questions(scene, rng) if question.kind in kinds]
        order = [int(k) for k in np.flatnonzero(busy)]
        made.append(_sequence(order, i * TOKENS, choose(found, rng, ASKED), prompts, rng))
    return _padded(made)


def _part(
    picture: Picture, partition: int, things: int, rng: random.Random
) -> tuple[Scene, NDArray[np.bool_]]:
    """The scene with only some of what lies in a partition, and the patches [N] that these touch."""
    _, transform = list(views(tiling_of(picture)))[partition]
    a, b, c, d = transform
    inside = [
        item
        for item in picture.scene.items
        if 0 <= a * item.centre[0] + c < TILE and 0 <= b * item.centre[1] + d < TILE
    ]
    inside.sort(key=lambda item: rng.random() + (partition > 0 and bool(item.text)))
    items = inside[-things:]
    boxes = [box for item in items for box in (item.box, item.label) if box]
    there = sum((cover(moved(box, transform), SIDE, PATCH) for box in boxes), np.zeros((SIDE, SIDE))) > 0
    return Scene(picture.scene.image, tuple(items)), there.ravel()


def _padded(made: list[Tokens]) -> Batch:
    import torch  # noqa: PLC0415  only batches need it

    length = max(len(sequence[0]) for sequence in made)
    fill = (0, NO_ROW, 0, -1, -1)  # ids, rows, positions, groups, targets
    padded = [
        torch.tensor([sequence[i] + [fill[i]] * (length - len(sequence[i])) for sequence in made])
        for i in range(5)
    ]
    ids, rows, positions, groups, targets = padded
    seen = (groups[:, None, :] == groups[:, :, None]) | (groups[:, None, :] == 0)
    seen &= torch.ones(length, length, dtype=torch.bool).tril()
    hidden = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, -torch.inf)[:, None]
    return Batch(ids, rows, positions, hidden, targets)


def _sequence(
    order: list[int], first: int, found: list[Question], prompts: Prompts, rng: random.Random
) -> Tokens:
    """Ids, rows, positions, conversations (0 for what all see) and targets."""
    prefix = prompts.prefix
    ids = [*prefix, *[0] * len(order)]
    rows = [NO_ROW] * len(prefix) + [i if i == NEWLINE else first + i for i in order]
    positions, groups, targets = list(range(len(ids))), [0] * len(ids), [-1] * len(ids)
    end, asked = len(ids), choose(found, rng, CONVERSATIONS + 3)
    group = 0
    while asked:
        group += 1
        count = rng.randint(1, LONGEST) if rng.random() < 0.3 else 1
        turns = prompts.turns(asked[:count])
        asked = asked[count:]
        ids += turns.ids
        rows += [NO_ROW] * len(turns.ids)
        positions += range(end, end + len(turns.ids))
        groups += [group] * len(turns.ids)
        targets += [i if learn else -1 for i, learn in zip(turns.ids[1:], turns.learn[1:], strict=True)]
        targets.append(-1)
    return ids, rows, positions, groups, targets
