"""The drawing of one selection: three steps side by side, the full image above the tiles."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from ..images.sources import ImageSource
from ..selection.policies import ALLOCATIONS, SELECTIONS
from ..selection.selection import Selection
from .blocks import BODY, FAINT, HEADING, TITLE, columns, framed, grid, paragraph, stack
from .counts import count_table
from .legend import legend
from .panels import require_picture, what_allotted, what_chose, what_stays

NARROWEST = 480  # of a column, for its words
GAP, MARGIN = 36, 40
SWAPPED = (
    "The released code swaps the grid's rows and columns before it removes padding: here some of the picture "
    "goes as padding, and padding stays."
)
SINGLE = "There is one partition, so it gets the whole budget."
ALLOTTED_SHOWN = "Shown: CLS attention of the {} layer on the full image."
LAST_SHOWN = "Shown: CLS attention of the last layer."
WORTH_SHOWN = "Shown: what a patch was worth before the first pick."
STAYS = "Bright patches go to the language model as visual tokens. Dimmed ones are dropped."


def overlay(selection: Selection, image: ImageSource, caption: str = "") -> Image.Image:
    """Draw the picture with the kept patches bright, what allotted the budget, and what chose them.

    ``image`` is the picture that was encoded; ``caption`` goes under all. The drawing is a new RGB image,
    which a notebook shows by itself. Raises InputError for a picture of another size; ImageError.
    """
    picture = require_picture(selection, image)
    single = selection.tiling.partitions == 1
    chose, stays = what_chose(selection, picture), what_stays(selection, picture)
    table = counts_block(selection)
    allotted = [table] if single else [what_allotted(selection, picture), table]
    panels = [list(row) for row in zip(allotted, chose, stays, strict=True)]
    widths = [max(NARROWEST, *(row[column].width for row in panels)) for column in range(3)]
    allocation, chooser = ALLOCATIONS[selection.config.allocation], SELECTIONS[selection.config.selection]
    allotted_by = f"{allocation.meaning} {ALLOTTED_SHOWN.format(allocation.layer or 'first')}"
    by_attention = chooser.by_attention
    chosen_by = f"{chooser.meaning} {LAST_SHOWN if by_attention else WORTH_SHOWN}"
    texts = [SINGLE if single else allotted_by, chosen_by, STAYS]
    names = ["1  What shared out the budget", "2  What chose the tokens", "3  What stays"]
    heads = [
        stack([paragraph(name, width, HEADING), paragraph(text, width, colour=FAINT)], 6)
        for name, text, width in zip(names, texts, widths, strict=True)
    ]
    body = grid([heads, *panels], GAP, GAP // 2)
    parts = [paragraph(title(selection), body.width, TITLE), body, legend(body.width, [selection])]
    if caption:
        parts.append(paragraph(caption, body.width, HEADING))
    return framed(stack(parts, GAP - 8), MARGIN)


def title(selection: Selection) -> str:
    """The outcome in a line."""
    config, (rows, cols) = selection.config, selection.tiling.grid
    tiles = f" and {rows} x {cols} tiles" if rows else ""
    chooser = "" if config.selection == "cls" else f", selection {config.selection}"
    return (
        f"{selection.visual_tokens:,} of {selection.visual_tokens_full:,} visual tokens stay "
        f"(budget {config.budget}, allocation {config.allocation}{chooser}; full image{tiles})"
    )


def counts_block(selection: Selection) -> Image.Image:
    """The counts by partition, and what a sum does not explain."""
    rows = count_table(selection)
    widths = (180, 100, 100, 100)
    return stack([columns(rows, widths), paragraph(notes(selection), sum(widths), BODY - 2, FAINT)], 10)


def notes(selection: Selection) -> str:
    """What the table's numbers do not say."""
    patches = sum(selection.tiling.capacities)
    newlines = selection.visual_tokens_full - patches
    kept = selection.visual_tokens - len(selection.order)
    said = []
    if selection.tiling.partitions > 1 and selection.config.allocation == "hired":
        said.append(f"The full image's share is alpha, {selection.config.alpha}.")
    if newlines > 0:
        said.append(
            f"All {selection.visual_tokens_full:,} tokens are {patches:,} patches and {newlines} newline "
            f"rows, of which {kept} stay."
        )
    rows, cols = selection.tiling.grid
    if selection.config.allocation == "official" and selection.tiling.unpad and rows != cols:
        said.append(SWAPPED)
    return " ".join(said)


def as_png(drawing: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    buffer = BytesIO()
    drawing.save(buffer, "PNG")
    return buffer.getvalue()
