"""Plates, figures and slips as small pictures with transparency, and where their characters are."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .scene import Box
from .words import COLOURS

Colour = tuple[int, int, int]
SPACED = 0.9  # characters of what is read stand apart, as on number plates


@dataclass(frozen=True)
class Line:
    """A line of text: the box of a field's name, if there is one, and of each character, in pixels."""

    characters: tuple[tuple[str, Box], ...]
    label: Box | None = None


@dataclass(frozen=True)
class Piece:
    """RGBA pixels to be put on a picture, and the text lines on them."""

    image: Image.Image
    lines: tuple[Line, ...] = ()


@lru_cache(maxsize=512)
def font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels."""
    return ImageFont.truetype(path, size)


def shade(rng: random.Random, name: str) -> Colour:
    """Some colour of that name."""
    low, high = COLOURS[name]
    red, green, blue = (rng.randint(a, b) for a, b in zip(low, high, strict=True))
    return red, green, blue


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever can be read on it."""
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return (255, 255, 255) if luminance < 150 else (10, 10, 10)


def draw_plate(
    rng: random.Random, shape: str, colour: Colour, text: str, face: ImageFont.FreeTypeFont
) -> Piece:
    """A sign (rectangle) or a badge (ellipse) with a text in its middle."""
    width, height = math.ceil(sum(rooms(face, text, SPACED))), round(face.size)
    across, down = (0.35, 0.25) if shape == "sign" else (0.75, 0.5)
    pad_x, pad_y = round(height * across), round(height * down * rng.uniform(0.8, 1.2))
    size = width + 2 * pad_x, height + 2 * pad_y
    image = Image.new("RGBA", size, (*colour, 0))
    pen, box, edge = ImageDraw.Draw(image), (0, 0, size[0] - 1, size[1] - 1), ink_on(colour)
    outline = edge if rng.random() < 0.5 else colour
    (pen.rectangle if shape == "sign" else pen.ellipse)(box, colour, outline, max(1, height // 10))
    characters = write(pen, (pad_x, pad_y + height / 2), text, face, edge, spaced=SPACED)
    return Piece(image, (Line(characters),))


def draw_figure(rng: random.Random, shape: str, colour: Colour, size: int) -> Piece:
    """A circle, a square, a triangle or a star, about `size` pixels wide."""
    image = Image.new("RGBA", (size, size), (*colour, 0))
    pen, middle, edge, width = ImageDraw.Draw(image), (size - 1) / 2, ink_on(colour), max(1, size // 14)
    if shape == "circle":
        pen.ellipse((0, 0, size - 1, size - 1), colour, edge, width)
    elif shape == "square":
        inset = size * rng.uniform(0.03, 0.08)
        pen.rectangle((inset, inset, size - 1 - inset, size - 1 - inset), colour, edge, width)
    else:
        corners = 3 if shape == "triangle" else 10
        radii = [middle if corners == 3 or i % 2 == 0 else middle * 0.42 for i in range(corners)]
        angles = [2 * math.pi * i / corners - math.pi / 2 for i in range(corners)]
        points = [
            (middle + r * math.cos(a), middle + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)
        ]
        pen.polygon(points, colour, edge, width)
    return Piece(image)


def draw_slip(rng: random.Random, lines: list[tuple[str, str]], face: ImageFont.FreeTypeFont) -> Piece:
    """A slip of paper with a field's name and its value in each line."""
    height, pad, space = round(face.size), round(face.size * 0.6), round(face.size * rng.uniform(1.35, 1.7))
    names = max(face.getlength(name) for name, _ in lines)
    start = pad + names + face.size * rng.uniform(0.5, 0.8)
    width = start + max(sum(rooms(face, value, SPACED)) for _, value in lines) + pad
    paper = rng.randint(225, 255)
    image = Image.new(
        "RGBA",
        (math.ceil(width), 2 * pad + height + space * (len(lines) - 1)),
        (paper, paper, paper - rng.randint(0, 20), 255),
    )
    pen, ink, done = ImageDraw.Draw(image), (rng.randint(0, 60),) * 3, []
    for i, (name, value) in enumerate(lines):
        y = pad + height / 2 + i * space
        label = write(pen, (pad, y), name, face, ink)
        boxes = [box for _, box in label]
        characters = write(pen, (start, y), value, face, ink, spaced=SPACED)
        done.append(Line(characters, (boxes[0][0], boxes[0][1], boxes[-1][2], boxes[0][3])))
    return Piece(image, tuple(done))


def rotated(piece: Piece, degrees: float) -> Piece:
    """The piece turned counter-clockwise about its middle; boxes stay upright around their moved middles."""
    image = piece.image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    (w, h), (new_w, new_h), angle = piece.image.size, image.size, math.radians(degrees)

    def moved(box: Box) -> Box:
        x, y = (box[0] + box[2]) / 2 - w / 2, (box[1] + box[3]) / 2 - h / 2
        half_w, half_h = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        cx = new_w / 2 + x * math.cos(angle) + y * math.sin(angle)
        cy = new_h / 2 - x * math.sin(angle) + y * math.cos(angle)
        return cx - half_w, cy - half_h, cx + half_w, cy + half_h

    lines = tuple(
        Line(tuple((c, moved(box)) for c, box in line.characters), line.label and moved(line.label))
        for line in piece.lines
    )
    return Piece(image, lines)


def write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    face: ImageFont.FreeTypeFont,
    ink: Colour,
    *,
    spaced: float = 0,
) -> tuple[tuple[str, Box], ...]:
    """Write from the left middle ``at``; returns the characters' boxes, as high as a capital."""
    x, y = at
    half = -face.getbbox("H", anchor="ls")[1] / 2
    boxes = []
    for character, room in zip(text, rooms(face, text, spaced), strict=True):
        width = face.getlength(character)
        left = x + (room - width) / 2
        pen.text((left, y + half), character, ink, face, anchor="ls")
        boxes.append((character, (left, y - half, left + width, y + half)))
        x += room
    return tuple(boxes)


def rooms(face: ImageFont.FreeTypeFont, text: str, spaced: float) -> list[float]:
    """How wide each character is, and at least ``spaced`` times the size of the font."""
    return [max(face.getlength(character), spaced * face.size) for character in text]
