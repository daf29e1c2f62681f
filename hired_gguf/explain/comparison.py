"""Several selections of one picture side by side: what each keeps, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ..errors import InputError
from ..images.sources import ImageSource
from ..selection.policies import ALLOCATIONS, SELECTIONS
from ..selection.selection import Selection
from .blocks import FAINT, HEADING, TITLE, framed, grid, paragraph, stack
from .legend import legend
from .overlay import GAP, MARGIN, NARROWEST, counts_block
from .panels import require_picture, what_stays


def draw_comparison(
    selections: Sequence[Selection], image: ImageSource, caption: str = "", captions: Sequence[str] = ()
) -> Image.Image:
    """A column for each selection; ``captions`` go under the columns. Raises InputError, ImageError."""
    if not selections:
        raise InputError("[overlay] there is nothing to compare")
    picture = require_picture(selections[0], image)
    panels = [what_stays(selection, picture) for selection in selections]
    width = max(NARROWEST, *(panel.width for column in panels for panel in column))
    rows = [
        [_head(selection, width) for selection in selections],
        *map(list, zip(*panels, strict=True)),
        [counts_block(selection) for selection in selections],
        [paragraph(text, width, HEADING) for text in captions],
    ]
    body = grid([row for row in rows if row], GAP, GAP // 2)
    title = f"The same budget, {selections[0].config.budget}, spent in different ways"
    words = [(title, TITLE), (caption, HEADING)]
    parts = [paragraph(text, body.width, size) for text, size in words if text]
    parts += [body, legend(body.width, selections, with_heat=False)]
    return framed(stack(parts, GAP - 8), MARGIN)


def _head(selection: Selection, width: int) -> Image.Image:
    kept = f"{selection.visual_tokens:,} of {selection.visual_tokens_full:,} visual tokens"
    meanings = (
        ALLOCATIONS[selection.config.allocation].meaning,
        SELECTIONS[selection.config.selection].meaning,
    )
    words = [paragraph(text, width, colour=FAINT) for text in meanings]
    return stack([paragraph(f"{way(selection)}: {kept}", width, HEADING), *words], 6)


def way(selection: Selection) -> str:
    """How the budget was spent: the allocation, and the selection if it is another than HiRED's."""
    config = selection.config
    return config.allocation if config.selection == "cls" else f"{config.allocation}, {config.selection}"
