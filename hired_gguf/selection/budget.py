"""`TokenBudget`: how many visual tokens stay and which, as one value that travels whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypedDict, Union

from ..errors import BudgetError, shown
from ..model_files.gguf_fields import INT32_MAX
from .policies import ALLOCATIONS, NEWLINES, POLICIES, SELECTIONS

if TYPE_CHECKING:
    from typing_extensions import Unpack


#: What an argument called ``budget`` takes.
Budget = Union[int, float, "TokenBudget"]


class PolicyOptions(TypedDict, total=False):
    """What a caller may say beside a ``budget``; see `TokenBudget.changed`."""

    tokens: int
    policy: str
    alpha: float
    allocation: str
    selection: str
    newlines: str


class BudgetOptions(PolicyOptions, total=False):
    """`PolicyOptions` and the ``budget`` itself."""

    budget: Budget


BUDGET_OPTIONS = tuple(BudgetOptions.__annotations__)


@dataclass(frozen=True)
class TokenBudget:
    """How many visual tokens stay, and which.

    ``budget`` is an exact number of visual tokens (an ``int``) or a fraction of all of them in (0, 1] (a
    ``float``); ``alpha``, in [0, 1], is the full image's part of it. ``allocation`` shares it among the
    partitions, ``selection`` chooses the tokens of a partition, and ``newlines`` says whether the mosaic's
    rows end with LLaVA-Next's newline row: `hired_gguf.selection.policies` has the names and what they mean.

    Raises BudgetError.
    """

    budget: int | float = 0.2
    _: KW_ONLY
    alpha: float = 0.5
    allocation: str = "hired"
    selection: str = "cls"
    newlines: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", _budget(self.budget))
        object.__setattr__(self, "alpha", _alpha(self.alpha))
        _require_name("allocation", self.allocation, ALLOCATIONS)
        _require_name("selection", self.selection, SELECTIONS)
        _require_name("newlines", self.newlines, NEWLINES)

    @classmethod
    def of(cls, budget: Budget, **options: Unpack[PolicyOptions]) -> TokenBudget:
        """A number or a whole `TokenBudget`, with what ``options`` say instead of its fields."""
        return cls().changed(budget=budget, **options)

    def changed(self, **options: Unpack[BudgetOptions]) -> TokenBudget:
        """This budget with what ``options`` say instead.

        ``budget`` is a number or a whole `TokenBudget`; ``tokens`` an exact number of visual tokens, so that
        1 and 1.0 cannot be confused; ``policy`` sets all other fields at once: "hired" is the paper,
        "official" the authors' code, "best" what measured best (docs/choosing.md). Fields by name come last.
        Raises BudgetError.
        """
        given: dict[str, Any] = {**options}
        whole = given.pop("budget", self)
        policy, tokens = given.pop("policy", None), given.pop("tokens", None)
        if unknown := given.keys() - set(BUDGET_OPTIONS):
            raise TypeError(
                f"unexpected keyword argument {min(unknown)!r}; allowed: {', '.join(BUDGET_OPTIONS)}"
            )
        if not isinstance(whole, TokenBudget):
            if tokens is not None:
                raise BudgetError("[config] budget and tokens are both given; give one of them")
            whole = replace(self, budget=whole)
        if tokens is not None:
            whole = replace(whole, budget=_tokens(tokens))
        if policy is not None:
            _require_name("policy", policy, POLICIES)
            given = {**POLICIES[policy], **given}
        return replace(whole, **given)


def _is_a(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _budget(value: Any) -> int | float:
    if _is_a(Integral, value):
        if 1 <= value <= INT32_MAX:
            return int(value)
    elif _is_a(Real, value) and 0 < value <= 1:
        return float(value)
    raise BudgetError(
        f"[config] budget is {shown(value)}; "
        "allowed: a number of tokens from 1 (an int), or a fraction in (0, 1] (a float)"
    )


def _tokens(value: Any) -> int:
    if _is_a(Integral, value) and 1 <= value <= INT32_MAX:
        return int(value)
    raise BudgetError(
        f"[config] tokens is {shown(value)}; allowed: a number of visual tokens from 1 (an int)"
    )


def _alpha(value: Any) -> float:
    if _is_a(Real, value) and 0 <= value <= 1:
        return float(value)
    raise BudgetError(f"[config] alpha is {shown(value)}; allowed: a number in [0, 1]")


def _require_name(argument: str, value: object, allowed: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise BudgetError(f"[config] {argument} is {shown(value)}; allowed: {', '.join(allowed)}")


#: What holds where a caller says nothing.
DEFAULT = TokenBudget()

#: All tokens.
ALL = TokenBudget(1.0)
