"""Tokens drawn by lot, instead of those that CLS attends to: what any selection must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..selection.budget import TokenBudget
from ..selection.selection import Selection, select_with_tiling
from ..vision.encoding import EncodedImage


@dataclass(frozen=True)
class RandomTokens:
    """A selector for `HiREDChatHandler` that keeps as many tokens in each partition as HiRED would.

    It is HiRED with lots for the last layer's attention. ``name``, the picture's own, and ``seed`` decide
    the lots; a larger share of a partition holds the smaller ones.
    """

    name: str
    seed: int

    def __call__(self, image: EncodedImage, config: TokenBudget) -> Selection:
        """The selection of one image."""
        first, last = image.attention_first[:, :, 1:], image.attention_last[:, :, 1:]
        rng = np.random.default_rng(list(f"{self.seed}/{self.name}".encode()))
        lots = rng.random((len(last), 1, last.shape[2]), np.float32)
        return select_with_tiling(first, np.broadcast_to(lots, last.shape), image.tiling, config)
