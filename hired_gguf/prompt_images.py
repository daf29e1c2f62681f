"""The images of a prompt: decoded, checked against the context's room, then encoded, selected and packed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import llama_cpp
from PIL import Image

from . import _core
from .config import TokenBudget
from .context import Floats, room
from .errors import ContextOverflowError
from .progress import Progress
from .run import Run
from .selection import most_visual_tokens
from .vision import VisionEncoder


def require_room(
    llama: llama_cpp.Llama, text_tokens: int, tilings: Sequence[_core.Tiling], config: TokenBudget
) -> None:
    """Raise ContextOverflowError before anything is encoded, with the budget that would fit."""
    visual = sum(most_visual_tokens(tiling, config) for tiling in tilings)
    needed, there = text_tokens + visual + 1, room(llama)
    if needed <= there:
        return
    message = (
        f"the prompt needs {needed} tokens ({text_tokens} of text, {visual} visual, 1 for the answer) and "
        f"the context holds {there} (n_ctx): make n_ctx at least {needed}"
    )
    advice = _fitting_budget(there - text_tokens - 1, tilings, config)
    raise ContextOverflowError(message + advice)


def _fitting_budget(space: int, tilings: Sequence[_core.Tiling], config: TokenBudget) -> str:
    """The largest fraction, in hundredths, whose rows fit."""
    for percent in range(99, 0, -1):
        smaller = TokenBudget(percent / 100, config.alpha, config.allocation, config.newlines)
        if min((t.partitions * t.tokens * percent // 100 for t in tilings), default=0) < 1:
            break
        rows = sum(most_visual_tokens(tiling, smaller) for tiling in tilings)
        if rows <= space:
            return f", or budget at most {percent / 100:.2f} ({rows} visual tokens)"
    return ", or ask less" if not tilings else "; no budget fits"


def visual_rows(
    encoder: VisionEncoder,
    pictures: Sequence[Image.Image],
    config: TokenBudget,
    run: Run,
    on_progress: Progress | None,
) -> Iterator[Floats]:
    """Yield the kept rows [n, D_text] of each picture, noting selection and seconds in ``run``."""
    for i, picture in enumerate(pictures):
        if on_progress:
            on_progress("encode", i, len(pictures))
        started = time.perf_counter()
        encoding = encoder.encode(picture, (), features=False)
        encoded = time.perf_counter()
        selection = encoding.select_with(config)
        rows = encoding.pack(selection)
        run.selections.append(selection)
        run.timings.encode_s += encoded - started
        run.timings.select_s += time.perf_counter() - encoded
        yield rows
