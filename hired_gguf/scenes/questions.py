"""Everything that can be asked about a scene."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from .scene import Question, Scene
from .words import COLOURS, FIGURES, PLATES, SHAPES

CLEAR_OF_MIDDLE = 0.06  # of the picture: what is nearer to the middle is neither left nor right of it
MOST_COUNTED = 5  # things counted


def questions(scene: Scene, rng: random.Random) -> list[Question]:
    """All questions about it, in random order; a fair share of each kind is the caller's business."""
    found = [q for ask in (_read, _value, _count, _colour, _yes_no, _position) for q in ask(scene, rng)]
    rng.shuffle(found)
    return found


def _read(scene: Scene, rng: random.Random) -> Iterator[Question]:
    for item in scene.of(*PLATES):
        wordings = (
            f"What {item.kind} is on the {item.name}?",
            f"What does the {item.name} say?",
            f"Read the {item.kind} on the {item.name}.",
        )
        yield Question("read", rng.choice(wordings), item.text)


def _value(scene: Scene, rng: random.Random) -> Iterator[Question]:
    for item in scene.of("slip"):
        wordings = (f"What is the {item.field}?", f"Which {item.field} is on the slip?")
        yield Question("value", rng.choice(wordings), item.text)


def _count(scene: Scene, rng: random.Random) -> Iterator[Question]:
    counts = Counter(item.shape for item in scene.items)
    for shape in SHAPES:
        if counts[shape] <= MOST_COUNTED and (counts[shape] or rng.random() < 0.25):
            wordings = (f"How many {shape}s are there?", f"Count the {shape}s.")
            yield Question("count", rng.choice(wordings), str(counts[shape]))


def _colour(scene: Scene, rng: random.Random) -> Iterator[Question]:
    for shape in FIGURES:
        if len(items := scene.of(shape)) == 1:
            yield Question("colour", f"What colour is the {shape}?", items[0].colour)
    starts = Counter(item.text[:2] for item in scene.items)
    for item in scene.of(*PLATES):
        if item.kind == "word" and starts[item.text[:2]] == 1:
            yield Question("colour", f"What colour is the {item.shape} that says {item.text}?", item.colour)


def _yes_no(scene: Scene, rng: random.Random) -> Iterator[Question]:
    present = {(item.colour, item.shape) for item in scene.of(*SHAPES)}
    absent = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in present]
    chosen = rng.sample(sorted(present), min(2, len(present))) + rng.sample(absent, 2)
    for colour, shape in chosen:
        article = "an" if colour[0] in "aeiou" else "a"
        wordings = (f"Is there {article} {colour} {shape}?", f"Do you see {article} {colour} {shape}?")
        yield Question("yes-no", rng.choice(wordings), "yes" if (colour, shape) in present else "no")


def _position(scene: Scene, rng: random.Random) -> Iterator[Question]:
    names = Counter(item.name for item in scene.of(*SHAPES))
    for item in scene.of(*SHAPES):
        axis = rng.randrange(2)
        distance = item.centre[axis] / scene.image.size[axis] - 0.5
        if names[item.name] > 1 or abs(distance) < CLEAR_OF_MIDDLE:
            continue
        low, high = ("left", "right") if axis == 0 else ("above", "below")
        of = " of" if axis == 0 else ""
        wording = f"Is the {item.name} {low} or {high}{of} the middle?"
        yield Question("position", wording, low if distance < 0 else high)
