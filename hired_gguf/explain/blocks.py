"""Blocks of a drawing: text and pictures that are stacked below or beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = (25, 25, 30), (95, 95, 105), (255, 255, 255)
TITLE, HEADING, BODY = 34, 27, 21  # pixels of a letter's height, about

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@cache
def font(size: int) -> Font:
    """Pillow's own, so that a drawing is the same everywhere."""
    return ImageFont.load_default(size)


def paragraph(text: str, width: int, size: int = BODY, colour: tuple[int, int, int] = INK) -> Image.Image:
    """Text in lines that fit the width, as a block of exactly that width."""
    lines = [line for part in text.split("\n") for line in wrap(part, width, size)]
    step = round(size * 1.3)
    block = Image.new("RGB", (width, max(1, step * len(lines))), PAPER)
    brush = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        brush.text((0, number * step), line, colour, font(size))
    return block


def wrap(text: str, width: int, size: int) -> list[str]:
    """Lines of words; a word that is wider than a line is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font(size).getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines += [] if lines[-1] == "" else [""]
        for letter in word:
            if lines[-1] and font(size).getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def stack(blocks: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Blocks from top to bottom, flush left."""
    height = sum(block.height for block in blocks) + gap * (len(blocks) - 1)
    page = Image.new("RGB", (max(block.width for block in blocks), height), PAPER)
    top = 0
    for block in blocks:
        page.paste(block, (0, top))
        top += block.height + gap
    return page


def grid(rows: Sequence[Sequence[Image.Image]], gap_x: int, gap_y: int) -> Image.Image:
    """Blocks in rows and columns, each flush with the left and the top of its cell."""
    widths = [max(block.width for block in column) for column in zip(*rows, strict=True)]
    heights = [max(block.height for block in row) for row in rows]
    size = (sum(widths) + gap_x * (len(widths) - 1), sum(heights) + gap_y * (len(heights) - 1))
    page = Image.new("RGB", size, PAPER)
    for i, row in enumerate(rows):
        for j, block in enumerate(row):
            page.paste(block, (sum(widths[:j]) + j * gap_x, sum(heights[:i]) + i * gap_y))
    return page


def framed(block: Image.Image, margin: int) -> Image.Image:
    """A block with paper around it."""
    page = Image.new("RGB", (block.width + 2 * margin, block.height + 2 * margin), PAPER)
    page.paste(block, (margin, margin))
    return page


def columns(rows: Sequence[Sequence[str]], widths: Sequence[int], size: int = BODY) -> Image.Image:
    """A table: the first column flush left, the others flush right, a rule under the first row."""
    step = round(size * 1.5)
    block = Image.new("RGB", (sum(widths), step * len(rows)), PAPER)
    brush = ImageDraw.Draw(block)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            x, anchor = (0, "lm") if j == 0 else (sum(widths[: j + 1]), "rm")
            brush.text((x, i * step + step // 2), cell, FAINT if i == 0 else INK, font(size), anchor=anchor)
    brush.line((0, step, block.width, step), FAINT)
    return block
