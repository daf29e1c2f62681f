"""Several selections of one picture side by side: what each keeps, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ..errors import InputError
from ..images.sources import ImageSource
from ..selection.policies import ALLOCATIONS
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
    title = f"The same budget, {selections[0].config.budget}, shared out in different ways"
    words = [(title, TITLE), (caption, HEADING)]
    parts = [paragraph(text, body.width, size) for text, size in words if text]
    parts += [body, legend(body.width, selections, with_heat=False)]
    return framed(stack(parts, GAP - 8), MARGIN)


def _head(selection: Selection, width: int) -> Image.Image:
    allocation = selection.config.allocation
    name = f"{allocation}: {selection.visual_tokens:,} of {selection.visual_tokens_full:,} visual tokens"
    meaning = paragraph(ALLOCATIONS[allocation].meaning, width, colour=FAINT)
    return stack([paragraph(name, width, HEADING), meaning], 6)
