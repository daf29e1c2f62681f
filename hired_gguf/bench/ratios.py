"""How many times better than stock, from the runs of one benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .plan import STOCK

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Ratio:
    """Stock's field over ours, or the other way round where more is better."""

    field: str
    question: int = 1
    image: int = 1
    more_is_better: bool = False

    def of(self, stock: Run, ours: Run) -> float | None:
        """How many times better ours is; None where one of the two is not known."""
        over, under = (ours, stock) if self.more_is_better else (stock, ours)
        return over[self.field] / under[self.field] if over[self.field] and under[self.field] else None


RATIOS = {
    "ttft": Ratio("ttft_s"),
    "total": Ratio("total_s"),
    "token": Ratio("token_s"),
    "tokens_per_s": Ratio("tokens_per_s", more_is_better=True),
    "second_question": Ratio("ttft_s", question=2),
    "second_image": Ratio("ttft_s", image=2),
    "encode_per_tile": Ratio("encode_per_tile_s"),
    "prefill_visual": Ratio("prefill_visual_s"),
    "peak_rss": Ratio("peak_rss_bytes"),
    "kv_visual": Ratio("kv_visual_bytes"),
}


@dataclass(frozen=True)
class Spread:
    """The median of repetitions, and their range."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        middle, low, high = (f"{value:.2f}" for value in (self.middle, self.low, self.high))
        return f"{middle}x" if low == high else f"{middle}x ({low}..{high})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(median(values), min(values), max(values))


def ratios(runs: Sequence[Run]) -> dict[str, dict[str, dict[str, Spread]]]:
    """By type, each of `RATIOS` by budget, and for stock's second way, `PLAIN`.

    A repetition's answer is divided by the one that stock, with its defaults, gave in the same repetition.
    """
    found: dict[str, dict[str, dict[str, Spread]]] = {}
    for kind in dict.fromkeys(run["type"] for run in runs):
        of_kind = [run for run in runs if run["type"] == kind]
        by_name = {name: _by_case(of_kind, ratio) for name, ratio in RATIOS.items()}
        found[kind] = {name: by_case for name, by_case in by_name.items() if by_case}
    return {kind: by_name for kind, by_name in found.items() if by_name}


def _by_case(runs: Sequence[Run], ratio: Ratio) -> dict[str, Spread]:
    asked = [run for run in runs if (run["question"], run["image"]) == (ratio.question, ratio.image)]
    stock = {run["repetition"]: run for run in asked if run["engine"] == STOCK}
    values: dict[str, list[float]] = {}
    for run in asked:
        if run["engine"] != STOCK and run["repetition"] in stock:
            value = ratio.of(stock[run["repetition"]], run)
            if value is not None:
                values.setdefault(ratio_key(run["engine"], run["budget"]), []).append(value)
    return {key: spread(several) for key, several in values.items()}


def ratio_key(engine: str, budget: float | None) -> str:
    """The budget, or the engine that has none."""
    return engine if budget is None else str(budget)
