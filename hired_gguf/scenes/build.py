"""Put a scene together."""

from __future__ import annotations

import random

from PIL import ImageFont

from . import degrade, draw
from .assets import SPLITS, fonts, photographs
from .layout import Layout, random_tiling
from .scene import Item, Scene
from .texts import field_text, plate_text
from .words import COLOURS, FIELDS, FIGURES, PLATES

TEXT_PIXELS = (17, 22)  # height of a font on the canvas: too small for the full image's view
SLIP_PIXELS = (14, 16)
FIGURE_PIXELS = (20, 34)
TURN = 4.0  # degrees


class Builder:
    """A scene under construction."""

    def __init__(self, rng: random.Random, split: str, tile: int) -> None:
        self.rng, self.split = rng, split
        self.tiling = random_tiling(rng, tile)
        self.layout = Layout(rng, self.tiling)
        height, width = self.tiling.image_size_hw
        self.picture = degrade.background(rng, photographs(split), (width, height))
        self.items: list[Item] = []
        self.free = [(shape, colour) for shape in PLATES for colour in COLOURS]
        rng.shuffle(self.free)

    def face(self, pixels: tuple[int, int]) -> ImageFont.FreeTypeFont:
        """Some font, in a size of the picture that becomes ``pixels`` on the canvas."""
        size = self.rng.uniform(*pixels) / self.layout.scale
        return draw.font(self.rng.choice(fonts(self.split)), round(size))

    def put(self, piece: draw.Piece) -> tuple[draw.Piece, tuple[int, int]] | None:
        """Turn it a little and paste it somewhere, if there is room."""
        if self.rng.random() < 0.6:
            piece = draw.rotated(piece, self.rng.uniform(-TURN, TURN))
        at = self.layout.place(piece.image.size)
        if at is None:
            return None
        self.picture.paste(piece.image, at, piece.image)
        return piece, at

    def add_plate(self) -> None:
        """A sign or badge, no two alike in colour and shape."""
        shape, colour = self.free.pop()
        kind, text = plate_text(self.rng)
        piece = draw.draw_plate(self.rng, shape, draw.shade(self.rng, colour), text, self.face(TEXT_PIXELS))
        if placed := self.put(piece):
            piece, at = placed
            box = shifted((0, 0, *piece.image.size), at)
            characters = tuple((c, shifted(b, at)) for c, b in piece.lines[0].characters)
            self.items.append(Item(shape, colour, box, text, kind, characters=characters))

    def add_figure(self, shape: str) -> None:
        """A coloured figure without text."""
        colour = self.rng.choice(list(COLOURS))
        size = round(self.rng.uniform(*FIGURE_PIXELS) / self.layout.scale)
        if placed := self.put(draw.draw_figure(self.rng, shape, draw.shade(self.rng, colour), size)):
            piece, at = placed
            self.items.append(Item(shape, colour, shifted((0, 0, *piece.image.size), at)))

    def add_slip(self, names: list[str]) -> None:
        """A slip of paper; each of its lines is an item."""
        values = [field_text(self.rng, name) for name in names]
        lines = [(name.upper(), text) for name, (_, text) in zip(names, values, strict=True)]
        if not (placed := self.put(draw.draw_slip(self.rng, lines, self.face(SLIP_PIXELS)))):
            return
        piece, at = placed
        for name, (kind, text), line in zip(names, values, piece.lines, strict=True):
            characters = tuple((c, shifted(b, at)) for c, b in line.characters)
            label = shifted(line.label, at) if line.label else None
            box = characters[0][1][:2] + characters[-1][1][2:]
            self.items.append(Item("slip", "", box, text, kind, name, characters, label))


def shifted(box: tuple[float, ...], at: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box moved right and down."""
    return box[0] + at[0], box[1] + at[1], box[2] + at[0], box[3] + at[1]


def make_scene(split: str, seed: int, index: int, *, tile: int = 168, crowded: bool = False) -> Scene:
    """Draw scene ``index`` of a split ("train" or "held-out"); the same arguments give the same picture.

    ``tile`` is the partitions' edge in pixels: things are sized for it. ``crowded`` pictures hold about
    twice as many. Raises HiredError if a package with photographs or fonts is missing.
    """
    assert split in SPLITS, split
    rng = random.Random(f"{split}/{seed}/{index}")
    builder = Builder(rng, split, tile)
    rooms = len(builder.layout.rooms)
    slip = rng.random() < (0.7 if crowded else 0.4)
    if slip:
        builder.add_slip(rng.sample(list(FIELDS), rng.randint(2, 3)))
    for _ in range(2 * rooms if crowded else rng.randint(1, 2 if slip else rooms)):
        builder.add_plate()
    figures = rng.sample(FIGURES, rng.randint(1, len(FIGURES)))
    for _ in range(rng.randint(1, 2 * rooms if crowded else rooms)):
        builder.add_figure(rng.choice(figures))
    return Scene(degrade.camera(rng, builder.picture), tuple(builder.items))
