"""What is measured: which engines, on which budgets, with which questions, in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model_files.mmproj import MmprojInfo
from ..native.load import core
from ..selection.budget import TokenBudget
from ..selection.selection import most_visual_tokens
from ..vision.encoding import tiling_of

QUESTIONS = (
    "What is in the foreground of this picture, and what can you see behind it?",
    "Which colours stand out, and where in the picture are they?",
)
ANSWER_TOKENS = 15
STOCK, PLAIN, OURS = "stock", "stock_plain", "ours"  # engines
STOCK_LABELS = {STOCK: "stock", PLAIN: "stock, use_extra_bufts=False"}
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
    """What one child process measures, on the text model of a ``type``. ``budget`` is None for stock.

    ``visual_tokens`` and ``partitions`` are those of each task, known from the pictures' sizes.
    """

    type: str
    engine: str
    budget: int | float | None
    tasks: tuple[BenchTask, ...]
    visual_tokens: tuple[int, ...]
    partitions: tuple[int, ...]

    @property
    def label(self) -> str:
        """What people read, see `case_label`."""
        return case_label(self.type, self.engine, self.budget)

    def context(self, text_tokens: int) -> int:
        """The least multiple of 256 that holds image, text and answer. Stock's is 4096 at least."""
        needed = max(self.visual_tokens) + text_tokens + ANSWER_TOKENS + _SLACK
        return max(STOCK_CONTEXT * (self.engine != OURS), -(-needed // _CONTEXT_STEP) * _CONTEXT_STEP)


def case_label(kind: str, engine: str, budget: int | float | None) -> str:
    """What people read: "q4_0 stock" or "q4_0 budget 0.2"."""
    return f"{kind} {STOCK_LABELS[engine] if budget is None else f'budget {budget}'}"


def by_case(runs: Iterable[Mapping[str, Any]], task: BenchTask) -> dict[str, list[Mapping[str, Any]]]:
    """The runs of a task, by `case_label`."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if (run["question"], run["image"]) == (task.question, task.image):
            groups.setdefault(case_label(run["type"], run["engine"], run["budget"]), []).append(run)
    return groups


def make_plan(
    info: MmprojInfo,
    sizes_hw: Sequence[tuple[int, int]],
    budgets: Sequence[int | float],
    second_image_budgets: Collection[int | float],
    *,
    stock: bool,
    types: Sequence[str],
) -> list[Case]:
    """For each type stock's two ways, if wanted, then a case a budget.

    The second image costs stock as much again, so ours see it only at ``second_image_budgets``, and stock's
    second way answers one question. With several types, all cases do: the rest depends little on the type.
    Raises BudgetError for a budget that these pictures cannot have.
    """
    tilings = [tiling_of(info, size) for size in sizes_hw]
    all_tasks = (FIRST, SECOND_QUESTION, SECOND_IMAGE)

    def case(kind: str, engine: str, budget: int | float | None, tasks: tuple[BenchTask, ...]) -> Case:
        tasks = (FIRST,) if len(types) > 1 else tasks
        cut = [tilings[task.image - 1] for task in tasks]
        tokens = [_tokens(info, tiling, budget) for tiling in cut]
        return Case(kind, engine, budget, tasks, tuple(tokens), tuple(tiling.partitions for tiling in cut))

    plan = []
    for kind in types:
        if stock:
            plan += [case(kind, STOCK, None, all_tasks), case(kind, PLAIN, None, (FIRST,))]
        for budget in budgets:
            tasks = all_tasks if budget in second_image_budgets else all_tasks[:2]
            plan.append(case(kind, OURS, budget, tasks))
    return plan


def _tokens(info: MmprojInfo, tiling: core.Tiling, budget: int | float | None) -> int:
    """Visual tokens: without a budget, as with stock, those of all partitions, padding too."""
    if budget is None:
        return tiling.partitions * info.tokens
    return most_visual_tokens(tiling, TokenBudget(budget))
