"""The images of a prompt: checked against the context's room, then encoded, selected and packed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import llama_cpp

from ..errors import ClosedError, ContextOverflowError
from ..native.llama import room
from ..native.load import core
from ..native.process import calling_back
from ..progress import Progress, Timings
from ..selection.budget import ALL, TokenBudget
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
    """A vision encoder, loaded when something is not in the cache. ``identity``: see `encoder_identity`."""

    load: Callable[[], VisionEncoder]
    cache: EncodingCache
    identity: str

    def make(self, work: Callable[[VisionEncoder], EncodedImage], timings: Timings) -> EncodedImage:
        """What the encoder makes, or another one if somebody closes this one before it begins."""
        model = self.load()
        with _timed(timings, "encode_s"):
            while True:
                try:
                    return work(model)
                except ClosedError:
                    model = self.load()


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
        begin = partial(on_progress or _unheard, "encode", i, len(pictures))
        rows.append(_rows_of(encoder, picture, config, select, run=run, begin=begin))
    return rows


def _rows_of(
    encoder: CachedEncoder,
    picture: TiledPicture,
    config: TokenBudget,
    select: Selector,
    *,
    run: Run,
    begin: Callable[[], None],
) -> ImageRows:
    """Encode, select, finish: one picture. Whatever becomes of a step, those before it are kept."""
    with _timed(run.timings, "encode_s"):
        key = encoding_key(picture.image, encoder.identity)
        image = known = encoder.cache.get(key, picture.tiling)
    try:
        image = _selectable(encoder, picture, known, _shown_to(select, config), run=run, begin=begin)
        with _timed(run.timings, "select_s"), calling_back():
            selection = select(image.asked(picture.question), config)
        run.selections.append(selection)
        image = _finished(encoder, image, selection, run)
    finally:
        if image is not None and image is not known:
            with _timed(run.timings, "encode_s"):
                encoder.cache.put(key, image)
    with _timed(run.timings, "select_s"):
        kept = image.pack(selection)
    return ImageRows(f"{key} {selection.digest}", kept)


def _shown_to(select: Selector, config: TokenBudget) -> TokenBudget:
    """The budget that says what must be encoded: all, for a selector that we do not know."""
    return config if select is EncodedImage.select_with else ALL


def _selectable(
    encoder: CachedEncoder,
    picture: TiledPicture,
    known: EncodedImage | None,
    budget: TokenBudget,
    *,
    run: Run,
    begin: Callable[[], None],
) -> EncodedImage:
    """What is known of a picture, with what this budget needs besides; ``begin`` hears of new partitions."""
    reused = known is not None and not known.unseen(budget).size
    if not reused:
        with calling_back():
            begin()
    if known is not None and known.shows(budget):
        image = known
    else:
        image = encoder.make(lambda model: model.encode_tiled(picture, budget, known), run.timings)
    run.reused_encodings += reused
    run.encoded_images += not reused
    return image


def _finished(encoder: CachedEncoder, image: EncodedImage, selection: Selection, run: Run) -> EncodedImage:
    """The image with the rows that stay; the encoder is not even loaded if they are there."""
    if not image.missing(selection.sources).size:
        return image
    return encoder.make(lambda model: model.finish(image, selection), run.timings)


@contextmanager
def _timed(timings: Timings, stage: str) -> Iterator[None]:
    """Add the seconds of a block to a stage."""
    started = time.perf_counter()
    try:
        yield
    finally:
        setattr(timings, stage, getattr(timings, stage) + time.perf_counter() - started)


def _unheard(stage: str, done: int, total: int) -> None:
    """Ignore the progress."""
