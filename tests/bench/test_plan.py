"""What a benchmark asks, in which contexts, with how many visual tokens."""

from __future__ import annotations

import pytest

from hired_gguf import BudgetError
from hired_gguf.bench.pictures import SIZES_HW
from hired_gguf.bench.plan import FIRST, SECOND_IMAGE, SECOND_QUESTION, make_plan
from hired_gguf.model_files.mmproj import read_mmproj


def test_plan_names_tasks_contexts_and_tokens(tiny):
    stock, full, fifth = make_plan(read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [0.2], stock=True)
    assert stock.tasks == fifth.tasks == (FIRST, SECOND_QUESTION, SECOND_IMAGE)
    assert full.tasks == (FIRST, SECOND_QUESTION)
    assert [case.label for case in (stock, full, fifth)] == ["stock", "budget 1.0", "budget 0.2"]
    assert stock.partitions == fifth.partitions == (5, 5, 3)
    assert stock.visual_tokens == (80, 80, 48)
    assert fifth.visual_tokens == (16, 16, 9)
    assert [case.context(50) for case in (stock, full, fifth)] == [4096, 256, 256]
    assert [case.context(137) for case in (full, fifth)] == [256, 256]
    assert [case.context(138) for case in (full, fifth)] == [512, 256]
    assert stock.context(5000) == 5120


def test_plan_refuses_a_budget_that_the_pictures_cannot_have(tiny):
    with pytest.raises(BudgetError, match="1000"):
        make_plan(read_mmproj(tiny[1]), SIZES_HW, [1000], [], stock=False)
