"""What is varied: budgets, and the ways to spend them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from ..errors import InputError
from ..selection.budget import TokenBudget
from .layers import FIRST_AND_LAST, Layers, as_layers, distinct, exists, name_of

SELECTIONS = ("cls", "random", "none")
BUDGETS: tuple[int | float, ...] = (1.0, 0.4, 0.2, 0.1, 0.05)
OTHER_LAYERS: tuple[Layers, ...] = ((-1, -1), (0, -2))  # the last allots too; the one before it picks


@dataclass(frozen=True)
class Configuration:
    """How pictures are shown to the language model.

    ``selection`` says which tokens of a partition stay: those that CLS attends to most (``"cls"``), as many
    drawn by lot (``"random"``), or no picture at all (``"none"``), which is what the questions alone give
    away. ``layers`` are the vision layer whose CLS attention allots the budget to partitions and the one
    whose picks the tokens, numbered as in `VisionEncoder.encode`. The others are the options of
    `TokenBudget`. Raises BudgetError, InputError.
    """

    budget: int | float = 0.2
    allocation: str = "hired"
    selection: str = "cls"
    newlines: str = "auto"
    alpha: float = 0.5
    layers: Layers = FIRST_AND_LAST

    def __post_init__(self) -> None:
        if self.selection not in SELECTIONS:
            raise InputError(f"selection is {self.selection!r}; allowed: {', '.join(SELECTIONS)}")
        object.__setattr__(self, "budget", self.token_budget.budget)
        object.__setattr__(self, "layers", as_layers(self.layers))

    @property
    def token_budget(self) -> TokenBudget:
        """The part that `TokenBudget` knows."""
        return TokenBudget(self.budget, self.alpha, self.allocation, self.newlines)

    @property
    def options(self) -> dict[str, Any]:
        """Of `LlavaNext.ask`."""
        return asdict(self.token_budget)

    @property
    def full(self) -> bool:
        """Whether it shows all of a picture, which the official allocation may not do even at budget 1.0."""
        whole = isinstance(self.budget, float) and self.budget == 1
        return whole and self.allocation != "official" and self.selection != "none"

    @property
    def policy(self) -> str:
        """All but the budget, as far as it is not the default."""
        if self.selection == "none":
            return "no picture"
        names = ("newlines", "alpha")
        others = [
            f"{name} {getattr(self, name)}" for name in names if getattr(self, name) != getattr(DEFAULT, name)
        ]
        if self.layers != DEFAULT.layers:
            others.append(f"layers {name_of(self.layers)}")
        return ", ".join([self.allocation, self.selection, *others])

    @property
    def label(self) -> str:
        """A name in a table."""
        if self.selection == "none":
            return self.policy
        return f"{self.budget}, all tokens" if self == Configuration(1.0) else f"{self.budget}, {self.policy}"

    def plain(self) -> Configuration:
        """The simplest configuration that is the same: a full budget leaves nothing to choose, for one."""
        if self.selection == "none":
            return Configuration(1.0, selection="none")
        if self.full:
            return Configuration(1.0, newlines=self.newlines)
        uniform = self.allocation == "uniform"
        allots = DEFAULT.layers[0] if uniform else self.layers[0]
        picks = DEFAULT.layers[1] if self.selection == "random" else self.layers[1]
        return replace(self, alpha=DEFAULT.alpha if uniform else self.alpha, layers=(allots, picks))


DEFAULT = Configuration()


def cross_product(
    budgets: Sequence[int | float] = BUDGETS,
    allocations: Sequence[str] = (DEFAULT.allocation,),
    selections: Sequence[str] = (DEFAULT.selection,),
    newlines: Sequence[str] = (DEFAULT.newlines,),
    alphas: Sequence[float] = (DEFAULT.alpha,),
    *,
    layers: Sequence[Layers] = (DEFAULT.layers,),
) -> list[Configuration]:
    """Every combination, each once. Raises BudgetError, InputError."""
    return _once(
        Configuration(budget, allocation, selection, newline, alpha, pair)
        for selection, allocation, newline, alpha, pair, budget in product(
            selections, allocations, newlines, alphas, layers, budgets
        )
    )


def one_at_a_time(executed_layers: int | None = None) -> list[Configuration]:
    """The budgets by CLS and at random, no picture, and at the default budget each other option alone.

    For a model with ``executed_layers``, without the layers that it does not have or that are the default's.
    """
    layers = list(OTHER_LAYERS)
    if executed_layers is not None:
        there = [pair for pair in layers if exists(pair, executed_layers)]
        layers = distinct([DEFAULT.layers, *there], executed_layers)[1:]
    others = [
        *(replace(DEFAULT, allocation=name) for name in ("official", "uniform")),
        *(replace(DEFAULT, alpha=alpha) for alpha in (0.25, 0.75)),
        replace(DEFAULT, newlines="keep"),
        *(replace(DEFAULT, layers=pair) for pair in layers),
    ]
    return _once([*cross_product(selections=("cls", "random")), *others, Configuration(selection="none")])


def _once(configurations: Iterable[Configuration]) -> list[Configuration]:
    return list(dict.fromkeys(configuration.plain() for configuration in configurations))
