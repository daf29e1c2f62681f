"""The images of a prompt: checked against the context's room, then encoded, selected and packed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import llama_cpp

from ..errors import ClosedError, ContextOverflowError
from ..native.llama import room
from ..native.load import core
from ..native.process import calling_back
from ..progress import Progress
from ..selection.budget import TokenBudget
from ..selection.selection import Selection, most_visual_tokens
from ..vision.cache import EncodingCache, encoding_key
from ..vision.encoder import VisionEncoder
from ..vision.encoding import EncodedImage, TiledPicture
from .ledger import ImageRows
from .run import Run

#: Says which tokens of an image stay; at most as many as `most_visual_tokens`.
Selector = Callable[[EncodedImage, TokenBudget], Selection]


def require_room(
    llama: llama_cpp.Llama, text_tokens: int, pictures: Sequence[TiledPicture], config: TokenBudget
) -> None:
    """Raise ContextOverflowError before anything is encoded, with the budget that would fit."""
    tilings = [picture.tiling for picture in pictures]
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


def _fitting_budget(space: int, tilings: Sequence[core.Tiling], config: TokenBudget) -> str:
    """The largest fraction, in hundredths, whose rows fit."""
    for percent in range(99, 0, -1):
        smaller = config.changed(budget=percent / 100)
        if min((t.partitions * t.tokens * percent // 100 for t in tilings), default=0) < 1:
            break
        rows = sum(most_visual_tokens(tiling, smaller) for tiling in tilings)
        if rows <= space:
            return f", or budget at most {percent / 100:.2f} ({rows} visual tokens)"
    return ", or ask less" if not tilings else "; no budget fits"


@dataclass(frozen=True)
class CachedEncoder:
    """A vision encoder, loaded when a picture is not in the cache. ``identity``: see `encoder_identity`."""

    load: Callable[[], VisionEncoder]
    cache: EncodingCache
    identity: str


def visual_rows(
    encoder: CachedEncoder,
    pictures: Sequence[TiledPicture],
    config: TokenBudget,
    select: Selector,
    *,
    run: Run,
    on_progress: Progress | None,
) -> list[ImageRows]:
    """The kept rows [n, D_text] of each picture; selections, counts and seconds are noted in ``run``."""
    rows = []
    for i, picture in enumerate(pictures):
        key, image = _encoded(
            encoder, picture, run, partial(on_progress or _unheard, "encode", i, len(pictures))
        )
        started = time.perf_counter()
        with calling_back():
            selection = select(image.asked(picture.question), config)
        kept = image.pack(selection)
        run.selections.append(selection)
        run.timings.select_s += time.perf_counter() - started
        rows.append(ImageRows(f"{key} {selection.digest}", kept))
    return rows


def _encoded(
    encoder: CachedEncoder, picture: TiledPicture, run: Run, begin: Callable[[], None]
) -> tuple[str, EncodedImage]:
    """The key and the encoding of a picture, from the cache or, after ``begin``, from the encoder."""
    started = time.perf_counter()
    key = encoding_key(picture.image, encoder.identity)
    image = encoder.cache.get(key, picture.tiling)
    run.timings.encode_s += time.perf_counter() - started
    if image is not None:
        run.reused_encodings += 1
        return key, image
    with calling_back():
        begin()
    model = encoder.load()
    started = time.perf_counter()
    image = _encode(encoder, model, picture)
    encoder.cache.put(key, image)
    run.encoded_images += 1
    run.timings.encode_s += time.perf_counter() - started
    return key, image


def _encode(encoder: CachedEncoder, model: VisionEncoder, picture: TiledPicture) -> EncodedImage:
    """The picture's encoding, by another model if somebody closes this one before it begins."""
    while True:
        try:
            return model.encode_tiled(picture)
        except ClosedError:
            model = encoder.load()


def _unheard(stage: str, done: int, total: int) -> None:
    """Ignore the progress."""
