"""Pages full of random words: the encoder's first reading lessons.

A scene shows ten characters in a partition, such a page a hundred. With scenes alone the encoder learns
colours at once and no character for a very long time. So it learns its letters first, on single patches of
such pages, which is cheap; and nearly a third of each batch are pages.
"""

from __future__ import annotations

import os
import pickle
import random
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hired_gguf.files import replacing
from hired_gguf.scenes import degrade, draw
from hired_gguf.scenes.assets import fonts, photographs
from hired_gguf.scenes.build import SLIP_PIXELS, TEXT_PIXELS, TURN
from hired_gguf.scenes.geometry import shows
from hired_gguf.scenes.scene import Box
from hired_gguf.scenes.words import CHARACTERS, LONGEST

from .patch_labels import GROUPS, LENGTH, UNKNOWN
from .sizes import PATCH, SIDE, TILE

#: Pixels [S, S, 3] and labels [N, groups].
Page = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def page(seed: int, index: int) -> Page:
    """Draw one."""
    rng = random.Random(f"page/{seed}/{index}")
    sheet, words = _sheet(rng)
    labels = np.zeros((SIDE, SIDE, len(GROUPS)), np.uint8)
    labels[..., LENGTH + 1 :] = UNKNOWN
    for word in words:
        whole = all(0 <= edge < TILE for _, box in word for edge in box)
        for i, (character, box) in enumerate(word):
            spot = shows(box, (1, 1, 0, 0), SIDE, PATCH)
            labels[spot, i], labels[spot, LENGTH] = CHARACTERS.index(character) + 1, len(word)
            if not whole:
                labels[spot] = UNKNOWN
    return np.asarray(degrade.camera(rng, sheet)), labels.reshape(SIDE * SIDE, -1)


def pages(path: Path, seed: int, count: int) -> list[Page]:
    """Draw them all, on all cores; or read them, if the file is there."""
    if not path.exists():
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            drawn = pool.starmap(page, [(seed, i) for i in range(count)], chunksize=50)
        with replacing(path) as partial:
            partial.write_bytes(pickle.dumps(drawn, 5))
    found: list[Page] = pickle.loads(path.read_bytes())  # our own file, in a folder of our own
    return found


def _sheet(rng: random.Random) -> tuple[Image.Image, list[tuple[tuple[str, Box], ...]]]:
    """Rows of words on paper, on a wall of one colour, or on a photograph, the whole turned a little."""
    colour = rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)
    size = TILE + 40
    sheet = Image.new("RGB", (size, size), colour)
    if rng.random() < 0.3:
        grey = rng.choice((30, 225))
        colour = grey, grey, grey
        veil = Image.new("RGB", sheet.size, colour)
        sheet = Image.blend(degrade.background(rng, photographs("train"), sheet.size), veil, 0.6)
    pen, pixels = ImageDraw.Draw(sheet), round(rng.uniform(SLIP_PIXELS[0], TEXT_PIXELS[1]))
    face = draw.font(rng.choice(fonts("train")), pixels)
    ink, lines, y = draw.ink_on(colour), [], rng.uniform(8, 20)
    while y < size - 8:
        x = rng.uniform(2, 30)
        while x < size - 20:
            text = "".join(rng.choices(CHARACTERS, k=rng.randint(1, LONGEST)))
            characters = draw.write(pen, (x, y), text, face, ink, spaced=draw.SPACED)
            lines.append(draw.Line(characters))
            x = characters[-1][1][2] + face.size * rng.uniform(0.8, 2)
        y += face.size * rng.uniform(1.3, 2.2)
    turned = draw.rotated(draw.Piece(sheet, tuple(lines)), rng.uniform(-TURN, TURN))
    left, top = ((side - TILE) // 2 for side in turned.image.size)
    image = turned.image.crop((left, top, left + TILE, top + TILE))
    return image, [
        tuple((c, (b[0] - left, b[1] - top, b[2] - left, b[3] - top)) for c, b in line.characters)
        for line in turned.lines
    ]
