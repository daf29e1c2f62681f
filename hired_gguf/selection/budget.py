"""The options of visual-token selection."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..errors import BudgetError

ALLOCATIONS = ("hired", "official", "uniform")
NEWLINES = ("auto", "keep", "drop")
_MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class TokenBudget:
    """How many visual tokens stay, and by which policy.

    ``budget`` is an exact number of visual tokens (an ``int``) or a fraction of all of them in (0, 1] (a
    ``float``); ``alpha``, in [0, 1], is the full image's part of it. ``allocation`` shares it among the
    partitions: ``"hired"`` (the paper), ``"official"`` (the authors' released code, bug for bug) or
    ``"uniform"``. ``newlines`` says whether the mosaic's rows end with LLaVA-Next's newline row: ``"keep"``,
    ``"drop"``, or ``"auto"``, which keeps them only where no token is dropped.

    Raises BudgetError.
    """

    budget: int | float = 0.2
    alpha: float = 0.5
    allocation: str = "hired"
    newlines: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", _budget(self.budget))
        object.__setattr__(self, "alpha", _alpha(self.alpha))
        _require_name("allocation", self.allocation, ALLOCATIONS)
        _require_name("newlines", self.newlines, NEWLINES)


def _is_a(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _budget(value: Any) -> int | float:
    if _is_a(Integral, value):
        if 1 <= value <= _MOST_TOKENS:
            return int(value)
    elif _is_a(Real, value) and 0 < value <= 1:
        return float(value)
    raise BudgetError(
        f"[config] budget is {value!r}; "
        "allowed: a number of tokens from 1 (an int), or a fraction in (0, 1] (a float)"
    )


def _alpha(value: Any) -> float:
    if _is_a(Real, value) and 0 <= value <= 1:
        return float(value)
    raise BudgetError(f"[config] alpha is {value!r}; allowed: a number in [0, 1]")


def _require_name(argument: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise BudgetError(f"[config] {argument} is {value!r}; allowed: {', '.join(allowed)}")
