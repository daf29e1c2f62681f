"""What each partition was allotted, and what stays of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..native.load import core
from ..selection.selection import Selection


@dataclass(frozen=True)
class PartitionCount:
    """One partition. ``patches`` are those that are not padding; ``kept`` is less than ``allotted`` only
    where the official allocation spends budget on padding.
    """

    name: str
    patches: int
    allotted: int
    kept: int


def partition_counts(selection: Selection) -> list[PartitionCount]:
    """Counts by partition, the full image first."""
    patches = selection.mask.shape[1] - np.count_nonzero(selection.padding, axis=1)
    kept = np.count_nonzero(selection.packed, axis=1)
    rows = zip(partition_names(selection.tiling), patches, selection.counts, kept, strict=True)
    return [PartitionCount(name, int(there), int(allotted), int(k)) for name, there, allotted, k in rows]


def partition_names(tiling: core.Tiling) -> list[str]:
    """What drawings and tables call the partitions."""
    return ["full image", *(f"tile {number}" for number in range(1, tiling.partitions))]


def count_table(selection: Selection) -> list[tuple[str, ...]]:
    """Rows of cells: a heading, the partitions, their sum."""
    counts = partition_counts(selection)
    numbers = [(count.patches, count.allotted, count.kept) for count in counts]
    rows = [*numbers, tuple(map(sum, zip(*numbers, strict=True)))]
    names = [*(count.name for count in counts), "together"]
    cells = [(name, *(f"{n:,}" for n in row)) for name, row in zip(names, rows, strict=True)]
    return [("", "patches", "allotted", "kept"), *cells]
