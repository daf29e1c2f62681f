"""What is varied: budgets, and the ways to spend them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ..errors import InputError
from ..selection.budget import DEFAULT as DEFAULT_BUDGET
from ..selection.budget import Budget, TokenBudget
from ..selection.policies import ALLOCATIONS, Choice
from ..selection.policies import SELECTIONS as CHOOSERS
from .layers import FIRST_AND_LAST, Layers, as_layers, distinct, exists, name_of

#: What selections are compared with, which no `TokenBudget` has.
BASELINES: dict[str, Choice] = {
    "random": Choice(
        "As many tokens of each partition, drawn at random, stay.", "what any selection must beat"
    ),
    "none": Choice("No picture is shown.", "what the questions alone give away"),
}
SELECTIONS: dict[str, Choice] = {**CHOOSERS, **BASELINES}
BUDGETS: tuple[int | float, ...] = (1.0, 0.4, 0.2, 0.1, 0.05)
LAYERLESS = ("cen-div", "mmtok")  # selections that go by rows alone
OTHER_LAYERS: tuple[Layers, ...] = ((-1, -1), (0, -2))  # the last allots too; the one before it picks


@dataclass(frozen=True, init=False)
class Configuration:
    """How pictures are shown to the language model: a `TokenBudget`, or a baseline in its selection's place.

    ``selection`` is that of the budget, ``"random"`` (as many tokens drawn at random) or ``"none"`` (no
    picture). ``layers`` are the vision layer whose CLS attention allots the budget to partitions and the one
    whose picks the tokens, numbered as in `VisionEncoder.encode`. Other options are those of
    `TokenBudget.of`. Raises BudgetError, InputError.
    """

    token_budget: TokenBudget
    baseline: str | None
    layers: Layers

    def __init__(
        self,
        budget: Budget = DEFAULT_BUDGET,
        *,
        selection: str | None = None,
        layers: Layers = FIRST_AND_LAST,
        **options: Any,
    ) -> None:
        if selection is not None and selection not in SELECTIONS:
            raise InputError(f"selection is {selection!r}; allowed: {', '.join(SELECTIONS)}")
        baseline = selection if selection in BASELINES else None
        chooser: dict[str, Any] = {} if selection is None or baseline else {"selection": selection}
        object.__setattr__(self, "token_budget", TokenBudget.of(budget, **chooser, **options))
        object.__setattr__(self, "baseline", baseline)
        object.__setattr__(self, "layers", as_layers(layers))

    def changed(self, **options: Any) -> Configuration:
        """This configuration with what ``options`` say instead."""
        return Configuration(
            **{"budget": self.token_budget, "selection": self.selection, "layers": self.layers, **options}
        )

    @property
    def selection(self) -> str:
        """What chooses the tokens, the baselines among it."""
        return self.baseline or self.token_budget.selection

    @property
    def shows_pictures(self) -> bool:
        """Whether the language model gets a picture at all."""
        return self.baseline != "none"

    @property
    def full(self) -> bool:
        """Whether all of a picture is shown; the official allocation may drop some even at budget 1.0."""
        budget = self.token_budget.budget
        whole = isinstance(budget, float) and budget == 1
        return whole and self.token_budget.allocation != "official" and self.shows_pictures

    @property
    def policy(self) -> str:
        """All options but the budget that are not at their default."""
        if not self.shows_pictures:
            return "no picture"
        ours, usual = vars(self.token_budget), vars(DEFAULT_BUDGET)
        others = [f"{name} {ours[name]}" for name in ("newlines", "alpha") if ours[name] != usual[name]]
        if self.layers != FIRST_AND_LAST:
            others.append(f"layers {name_of(self.layers)}")
        return ", ".join([self.token_budget.allocation, self.selection, *others])

    @property
    def label(self) -> str:
        """A name in a table."""
        if not self.shows_pictures:
            return self.policy
        full = self == Configuration(1.0)
        return f"{self.token_budget.budget}, {'all tokens' if full else self.policy}"

    def as_dict(self) -> dict[str, Any]:
        """All of it by name, as JSON can hold it."""
        return {**vars(self.token_budget), "selection": self.selection, "layers": self.layers}

    def plain(self) -> Configuration:
        """The simplest configuration with the same result: a full budget leaves nothing to choose."""
        if not self.shows_pictures:
            return Configuration(1.0, selection="none")
        if self.full:
            return Configuration(1.0, newlines=self.token_budget.newlines)
        shares_by = ALLOCATIONS[self.token_budget.allocation].layer
        allots = self.layers[0] if shares_by == "first" else FIRST_AND_LAST[0]
        chosen_by_layer = self.baseline != "random" and self.selection not in LAYERLESS
        picks = self.layers[1] if chosen_by_layer or shares_by == "last" else FIRST_AND_LAST[1]
        alpha = self.token_budget.alpha if shares_by == "first" else DEFAULT_BUDGET.alpha
        return self.changed(alpha=alpha, layers=(allots, picks))


DEFAULT = Configuration()


def cross_product(
    budgets: Sequence[int | float] = BUDGETS,
    allocations: Sequence[str] = (DEFAULT_BUDGET.allocation,),
    selections: Sequence[str] = (DEFAULT_BUDGET.selection,),
    newlines: Sequence[str] = (DEFAULT_BUDGET.newlines,),
    alphas: Sequence[float] = (DEFAULT_BUDGET.alpha,),
    *,
    layers: Sequence[Layers] = (FIRST_AND_LAST,),
) -> list[Configuration]:
    """Every combination, each once. Raises BudgetError, InputError."""
    return _once(
        Configuration(
            budget, allocation=allocation, selection=selection, newlines=newline, alpha=alpha, layers=pair
        )
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
        layers = distinct([FIRST_AND_LAST, *there], executed_layers)[1:]
    others = [
        *(DEFAULT.changed(allocation=name) for name in ALLOCATIONS),
        *(DEFAULT.changed(selection=name) for name in CHOOSERS),
        *(DEFAULT.changed(alpha=alpha) for alpha in (0.25, 0.75)),
        DEFAULT.changed(newlines="keep"),
        *(DEFAULT.changed(layers=pair) for pair in layers),
    ]
    return _once([*cross_product(selections=("cls", "random")), *others, Configuration(selection="none")])


def _once(configurations: Iterable[Configuration]) -> list[Configuration]:
    return list(dict.fromkeys(configuration.plain() for configuration in configurations))
