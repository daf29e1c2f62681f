"""Which visual tokens of a picture stay, from what the vision encoder knows of them: no model needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..native.load import core
from .budget import DEFAULT, BudgetOptions, TokenBudget
from .policies import ALLOCATIONS, SELECTIONS

if TYPE_CHECKING:
    from typing_extensions import Unpack

LLAVA_NEXT_PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
"""The canvases of LLaVA-Next, (height, width) in pixels."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The tokens that stay: P partitions of N tokens each, the full image first.

    ``mask`` [P, N] is true where a token stays, ``counts`` [P] how many do. ``packing`` [n] holds the ids
    ``partition * N + token`` in the order of the language model, and -1 for a newline row. With the official
    allocation mask and counts include tokens of the padding, which the packing leaves out.

    ``attention_first`` and ``attention_last`` [P, N] are the CLS attention that it was made from, the mean of
    the heads; 0 for a tile that was not encoded, since it had no share. ``worth`` [P, N] is what the
    selection found a token worth before its first pick: ``attention_last`` itself, or its own measure, which
    is 0 in partitions with nothing to choose. `hired_gguf.overlay` draws them. ``merged`` [P, N] is the id of
    the kept token that a dropped one is merged into, -1 for none; None where nothing is merged.
    """

    tiling: core.Tiling
    config: TokenBudget
    mask: NDArray[np.bool_]
    counts: NDArray[np.int32]
    packing: NDArray[np.int32]
    attention_first: NDArray[np.float64]
    attention_last: NDArray[np.float64]
    worth: NDArray[np.float64]
    merged: NDArray[np.int32] | None = None

    @property
    def digest(self) -> str:
        """A name that selections have in common only where they show the same rows of a picture."""
        merged = b"" if self.merged is None else self.merged.tobytes()
        return hashlib.sha256(self.packing.tobytes() + merged).hexdigest()

    @property
    def order(self) -> NDArray[np.int32]:
        """The packing without newline rows."""
        return self.packing[self.packing >= 0]

    @property
    def sources(self) -> NDArray[np.int32]:
        """The ids of the tokens that the packed rows are made of: those kept, those merged into them."""
        if self.merged is None:
            return self.order
        dropped = np.flatnonzero(np.isin(self.merged, self.order))
        return np.union1d(self.order, dropped).astype(np.int32)

    @property
    def visual_tokens(self) -> int:
        """Rows that the language model sees, newline rows included."""
        return len(self.packing)

    @property
    def visual_tokens_full(self) -> int:
        """Rows that the language model would see with no token dropped, newline rows included."""
        return len(core.pack_order(np.ones_like(self.mask), self.tiling, "keep"))

    @property
    def packed(self) -> NDArray[np.bool_]:
        """True where the language model sees the token, [P, N]: the mask without padding."""
        return self._where(self.order)

    @property
    def padding(self) -> NDArray[np.bool_]:
        """True where unpadding removes the token, whatever the budget, [P, N]."""
        layout = _layout(self.tiling, self.config)
        return ~self._where(core.pack_order(np.ones_like(self.mask), layout, "drop"))

    @property
    def full(self) -> bool:
        """Whether every token that is not padding stays."""
        return len(core.pack_order(self.mask, self.tiling, "drop")) == sum(self.tiling.capacities)

    def with_mask(self, mask: NDArray[np.bool_]) -> Selection:
        """This selection with other tokens [P, N] in the place of those that stay; nothing is merged."""
        packing = core.pack_order(mask, _layout(self.tiling, self.config), self.config.newlines)
        counts = mask.sum(axis=1, dtype=np.int32)
        return replace(self, mask=mask, counts=counts, packing=packing, merged=None)

    def _where(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        there = np.zeros(self.mask.size, np.bool_)
        there[ids] = True
        return there.reshape(self.mask.shape)


def select_tokens(
    attn_first: ArrayLike,
    attn_last: ArrayLike,
    image_size_hw: tuple[int, int],
    pinpoints: Sequence[tuple[int, int]] | None = None,
    *,
    rows: ArrayLike | None = None,
    question: ArrayLike | None = None,
    tile: int = 336,
    patch: int = 14,
    unpad: bool = True,
    **options: Unpack[BudgetOptions],
) -> Selection:
    """Choose by the CLS attention [P, heads, N] of the first and the last executed vision layer.

    ``rows`` [P, N, D] are the projected rows of all tokens, ``question`` [words, D] the embeddings of the
    question's words: `hired_gguf.selection.policies.SELECTIONS` says which selection needs them. The arrays
    hold floats, attention without CLS's own column. ``image_size_hw``, ``pinpoints`` (height, width),
    ``tile`` and ``patch`` are in pixels; ``None`` means LLaVA-Next's pinpoints, ``[]`` LLaVA-1.5's single
    partition. ``unpad=False`` is the flat patch merge. ``options`` are those of `TokenBudget.changed`.

    Raises BudgetError, InputError and NumericError.
    """
    config = DEFAULT.changed(**options)
    canvases = LLAVA_NEXT_PINPOINTS if pinpoints is None else pinpoints
    tiling = core.make_tiling(image_size_hw, canvases, tile, patch, unpad)
    return select_with_tiling(attn_first, attn_last, tiling, config, rows=rows, question=question)


def select_with_tiling(
    attn_first: ArrayLike,
    attn_last: ArrayLike,
    tiling: core.Tiling,
    config: TokenBudget,
    *,
    rows: ArrayLike | None = None,
    question: ArrayLike | None = None,
) -> Selection:
    """`select_tokens` for a tiling that was made before."""
    first = _floats("attn_first", attn_first, "partitions, heads, tokens")
    last = _floats("attn_last", attn_last, "partitions, heads, tokens")
    mask, counts, worth, merged = core.select(
        first,
        last,
        tiling,
        core.budget_tokens(config.budget, tiling.partitions, tiling.tokens),
        config.alpha,
        config.allocation,
        config.selection,
        None if rows is None else _floats("rows", rows, "partitions, tokens, width"),
        None if question is None else _floats("question", question, "words, width"),
    )
    packing = core.pack_order(mask, _layout(tiling, config), config.newlines)
    first_mean, last_mean = (attention.mean(axis=1, dtype=np.float64) for attention in (first, last))
    return Selection(
        tiling=tiling,
        config=config,
        mask=mask,
        counts=counts,
        packing=packing,
        attention_first=first_mean,
        attention_last=last_mean,
        worth=last_mean if SELECTIONS[config.selection].by_attention else worth,
        merged=merged,
    )


def most_visual_tokens(tiling: core.Tiling, config: TokenBudget) -> int:
    """The most rows that a selection can give for this tiling, known before anything is encoded."""
    tokens = core.budget_tokens(config.budget, tiling.partitions, tiling.tokens)
    everything = np.ones((tiling.partitions, tiling.tokens), np.bool_)
    layout = _layout(tiling, config)
    capacity = len(core.pack_order(everything, layout, "drop"))
    newline_rows = len(core.pack_order(everything, layout, "keep")) - capacity
    kept = min(tokens, capacity)
    with_newlines = config.newlines == "keep" or (config.newlines == "auto" and tokens >= capacity)
    return kept + (min(newline_rows, kept) if with_newlines else 0)


def needs_rows(tiling: core.Tiling, config: TokenBudget) -> bool:
    """Whether the rows of all tokens are needed: to choose by them, or because all stay."""
    tokens = core.budget_tokens(config.budget, tiling.partitions, tiling.tokens)
    choices = (ALLOCATIONS[config.allocation], SELECTIONS[config.selection])
    return tokens >= sum(tiling.capacities) or any("rows" in choice.needs for choice in choices)


def needs_all_partitions(tiling: core.Tiling, config: TokenBudget) -> bool:
    """Whether tiles without a share must be encoded too, to know that they have none."""
    return needs_rows(tiling, config) or ALLOCATIONS[config.allocation].needs != ("overview",)


def _layout(tiling: core.Tiling, config: TokenBudget) -> core.Tiling:
    """The released code takes height for width when it stitches the tiles."""
    return tiling.transposed() if config.allocation == "official" else tiling


def _floats(name: str, values: ArrayLike, axes: str) -> NDArray[np.float32]:
    array: NDArray[Any] = np.asarray(values)
    if array.ndim != axes.count(",") + 1 or array.dtype.kind != "f":
        raise InputError(f"[select] {name} is {array.dtype} {list(array.shape)}; floats [{axes}] are needed")
    with np.errstate(over="ignore"):  # a float64 that is too large becomes inf, and that is an error by name
        return np.ascontiguousarray(array, dtype=np.float32)
