"""What a prefill costs: a formula, and its three numbers from a few batches that were timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CACHE_STEP = 256  # llama.cpp attends to the cache in steps of so many positions


class Batch(NamedTuple):
    """Seconds of ``rows`` evaluated at once, behind ``start`` positions of the context."""

    rows: int
    start: int
    seconds: float


@dataclass(frozen=True)
class PrefillCost:
    """Seconds of a batch: ``fixed + row * rows + attention * rows * positions``.

    ``positions`` are those up to the batch's end, in steps of `CACHE_STEP`: each row is multiplied with all
    of them, and what it may not see is masked afterwards. So attention grows with the square of a prompt,
    while the weights cost the same for each row. ``batch`` is the most rows that are evaluated at once.
    """

    fixed: float
    row: float
    attention: float
    batch: int

    def seconds(self, rows: int, start: int = 0) -> float:
        """Of a prefill behind ``start`` positions, in as many batches as it takes."""
        sizes = [min(self.batch, rows - done) for done in range(0, rows, self.batch)]
        starts = [start + self.batch * number for number in range(len(sizes))]
        return sum(
            float(np.dot((self.fixed, self.row, self.attention), _shares(*batch)))
            for batch in zip(sizes, starts, strict=True)
        )


def fit_prefill(batches: Sequence[Batch], largest: int) -> PrefillCost:
    """The formula that comes closest to the batches, relative to the seconds of each; no number is negative.

    Batches of two sizes at position 0, and some far from it, decide all three numbers.
    """
    seconds = np.array([batch.seconds for batch in batches])
    shares = np.array([_shares(batch.rows, batch.start) for batch in batches]) / seconds[:, None]
    numbers, used = np.zeros(3), [0, 1, 2]
    while used:
        found = np.linalg.lstsq(shares[:, used], np.ones(len(seconds)), rcond=None)[0]
        if found.min() >= 0:
            numbers[used] = found
            break
        used.pop(int(found.argmin()))
    fixed, row, attention = map(float, numbers)
    return PrefillCost(fixed, row, attention, largest)


def _shares(rows: int, start: int) -> tuple[float, float, float]:
    """What the three numbers are multiplied with."""
    positions = -(-(start + rows) // CACHE_STEP) * CACHE_STEP
    return 1.0, rows, rows * positions
