"""A selection in numbers, for ``hired-gguf explain --json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..native.load import core
from ..selection.selection import Selection
from .counts import partition_counts

DIGITS = 6  # significant ones, of attention


def tiling_numbers(tiling: core.Tiling) -> dict[str, Any]:
    """How the picture was cut. Pairs are (height, width) or (rows, columns), lengths pixels."""
    pairs = ("image_size_hw", "grid", "canvas_hw", "fitted_hw", "offset_yx")
    singles = ("tile", "patch", "side", "partitions", "tokens", "unpad")
    return {
        **{name: list(getattr(tiling, name)) for name in pairs},
        **{name: getattr(tiling, name) for name in singles},
    }


def attention_numbers(selection: Selection) -> dict[str, Any]:
    """CLS attention by partition and patch, the mean of the heads."""
    return {
        "first_layer": _rounded(selection.attention_first),
        "last_layer": _rounded(selection.attention_last),
    }


def selection_numbers(selection: Selection) -> dict[str, Any]:
    """What was kept, and what a token was worth to the selection.

    ``kept_ids`` are partition * tokens + patch, in the language model's order.
    """
    return {
        **asdict(selection.config),
        "visual_tokens": selection.visual_tokens,
        "visual_tokens_full": selection.visual_tokens_full,
        "partitions": [asdict(count) for count in partition_counts(selection)],
        "kept_ids": selection.order.tolist(),
        "worth": _rounded(selection.worth),
    }


def _rounded(values: NDArray[np.float64]) -> Sequence[Sequence[float]]:
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in values]
