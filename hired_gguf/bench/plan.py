"""What is measured: which engines, on which budgets, with which questions, in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..model_files.mmproj import MmprojInfo
from ..selection.budget import TokenBudget
from ..selection.selection import most_visual_tokens
from ..vision.encoding import tiling_of

QUESTIONS = (
    "What is in the foreground of this picture, and what can you see behind it?",
    "Which colours stand out, and where in the picture are they?",
)
ANSWER_TOKENS = 15
STOCK_CONTEXT = 4096  # LLaVA-1.6's own, and what llama-cpp-python advises
_SLACK = 16  # templates differ
_CONTEXT_STEP = 256


@dataclass(frozen=True)
class BenchTask:
    """A question (1 or 2) about an image (1 or 2)."""

    question: int
    image: int

    def __str__(self) -> str:
        return f"question {self.question}, image {self.image}"


FIRST, SECOND_QUESTION, SECOND_IMAGE = BenchTask(1, 1), BenchTask(2, 1), BenchTask(1, 2)


@dataclass(frozen=True)
class Case:
    """What one child process measures. ``budget`` is None for stock.

    ``visual_tokens`` and ``partitions`` are those of each task, known from the pictures' sizes.
    """

    engine: str
    budget: int | float | None
    tasks: tuple[BenchTask, ...]
    visual_tokens: tuple[int, ...]
    partitions: tuple[int, ...]

    @property
    def label(self) -> str:
        """What people read: "stock" or "budget 0.2"."""
        return case_label(self.engine, self.budget)

    def context(self, text_tokens: int) -> int:
        """The least multiple of 256 that holds image, text and answer. Stock's is 4096 at least."""
        needed = max(self.visual_tokens) + text_tokens + ANSWER_TOKENS + _SLACK
        return max(STOCK_CONTEXT * (self.engine == "stock"), -(-needed // _CONTEXT_STEP) * _CONTEXT_STEP)


def case_label(engine: str, budget: int | float | None) -> str:
    """What people read: "stock" or "budget 0.2"."""
    return engine if budget is None else f"budget {budget}"


def make_plan(
    info: MmprojInfo,
    sizes_hw: Sequence[tuple[int, int]],
    budgets: Sequence[int | float],
    second_image_budgets: Collection[int | float],
    stock: bool,
) -> list[Case]:
    """Stock first, if wanted, then a case a budget. The second image costs stock as much again, so ours see
    it only at ``second_image_budgets``.

    Raises BudgetError for a budget that these pictures cannot have.
    """
    cases = [_case(info, sizes_hw, budget, budget in second_image_budgets) for budget in budgets]
    return [_stock_case(info, sizes_hw), *cases] if stock else cases


def _case(info: MmprojInfo, sizes_hw: Sequence[tuple[int, int]], budget: int | float, both: bool) -> Case:
    tilings = [tiling_of(info, size) for size in sizes_hw]
    tasks = (FIRST, SECOND_QUESTION, *((SECOND_IMAGE,) if both else ()))
    tokens = tuple(most_visual_tokens(tilings[task.image - 1], TokenBudget(budget)) for task in tasks)
    partitions = tuple(tilings[task.image - 1].partitions for task in tasks)
    return Case("ours", budget, tasks, tokens, partitions)


def _stock_case(info: MmprojInfo, sizes_hw: Sequence[tuple[int, int]]) -> Case:
    tilings = [tiling_of(info, size) for size in sizes_hw]
    tasks = (FIRST, SECOND_QUESTION, SECOND_IMAGE)
    partitions = tuple(tilings[task.image - 1].partitions for task in tasks)
    tokens = tuple(count * info.tokens for count in partitions)
    return Case("stock", None, tasks, tokens, partitions)
