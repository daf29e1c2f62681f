"""Straight lines through the runs: seconds per visual token, and per tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .plan import OURS


@dataclass(frozen=True)
class Line:
    """``intercept + slope * x``, and its largest error relative to a point."""

    slope: float
    intercept: float
    worst_error: float
    points: int

    def at(self, x: float) -> float:
        """Its value, never below 0."""
        return max(0.0, self.intercept + self.slope * x)


def fit_line(points: Sequence[tuple[float, float]]) -> Line | None:
    """The least-squares line. Through the origin if all x are equal; None without points."""
    if not points:
        return None
    x, y = np.array(points, float).T
    if np.ptp(x) == 0:
        slope, intercept = y.mean() / x[0], 0.0
    else:
        slope, intercept = np.polyfit(x, y, 1)
    errors = np.abs(intercept + slope * x - y) / np.maximum(np.abs(y), 1e-12)
    return Line(float(slope), float(intercept), float(errors.max()), len(points))


def fit_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Line]]:
    """`fit_type` by type."""
    kinds = dict.fromkeys(run["type"] for run in runs)
    fits = {kind: fit_type([run for run in runs if run["type"] == kind]) for kind in kinds}
    return {kind: lines for kind, lines in fits.items() if lines}


def fit_type(runs: Sequence[Mapping[str, Any]]) -> dict[str, Line]:
    """Lines through our first questions: ``prefill``, the time to the first token without encoding and
    selection by visual tokens; ``encode``, by partitions. Answers that reuse what an earlier one left do not
    count: of the image, or for ``prefill`` of the text before image 2.
    """
    ours = [run for run in runs if run["engine"] == OURS and run["question"] == 1]
    prefill = [
        (run["visual_tokens"], run["ttft_s"] - run["encode_s"] - run["select_s"])
        for run in ours
        if run["image"] == 1
    ]
    encode = [(run["partitions"], run["encode_s"]) for run in ours]
    lines = {"prefill": fit_line(prefill), "encode": fit_line(encode)}
    return {name: line for name, line in lines.items() if line}
