"""95 % confidence intervals of shares, for questions that come several to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

Z = 1.959964  # of a normal distribution, 95 % of which lies within so many deviations
RESAMPLES = 2000
Interval = tuple[float, float]


def wilson(right: float, n: float) -> Interval:
    """Wilson's interval for ``right`` of ``n``, which need not be whole; (0, 1) for n = 0."""
    if n <= 0:
        return 0.0, 1.0
    share, z2 = right / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # rounding


def design_effect(right: Sequence[int], asked: Sequence[int]) -> float:
    """How many times larger the variance of the share is than it would be with independent questions.

    ``right`` of ``asked`` questions, picture by picture. Never below 1, and 1 where it is not known: fewer
    than two pictures, or all answers right, or all wrong.
    """
    y, m = np.asarray(right, float), np.asarray(asked, float)
    n, k = m.sum(), len(m)
    share = y.sum() / n if n else 0.0
    if k < 2 or not 0 < share < 1:
        return 1.0
    clustered = k / (k - 1) * ((y - share * m) ** 2).sum() / n**2
    return max(1.0, float(clustered / (share * (1 - share) / n)))


def share_interval(right: Sequence[int], asked: Sequence[int]) -> Interval:
    """Wilson's interval of a share, with the number of questions divided by the design effect."""
    effect = design_effect(right, asked)
    return wilson(sum(right) / effect, sum(asked) / effect)


def ratio_interval(right: Sequence[int], reference: Sequence[int], seed: int = 0) -> Interval | None:
    """The percentile bootstrap over pictures of the ratio of two counts of right answers.

    Both are over the same questions, picture by picture. None if the reference may be 0.
    """
    a, b = np.asarray(right, float), np.asarray(reference, float)
    drawn = np.random.default_rng(seed).multinomial(len(a), np.full(len(a), 1 / len(a)), RESAMPLES)
    below = drawn @ b
    if not below.all():
        return None
    low, high = np.quantile(drawn @ a / below, (0.025, 0.975))
    return float(low), float(high)
