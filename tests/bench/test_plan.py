"""What a benchmark asks, in which contexts, with how many visual tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hired_gguf import BudgetError
from hired_gguf.bench.pictures import SIZES_HW
from hired_gguf.bench.plan import FIRST, OURS, PLAIN, SECOND_IMAGE, SECOND_QUESTION, STOCK, make_plan
from hired_gguf.model_files.mmproj import read_mmproj


def test_plan_names_tasks_contexts_and_tokens(tiny):
    stock, plain, full, fifth = make_plan(
        read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [0.2], stock=True, types=["f32"]
    )
    assert plain == replace(stock, engine=PLAIN, tasks=(FIRST,), visual_tokens=(80,), partitions=(5,))
    assert stock.tasks == fifth.tasks == (FIRST, SECOND_QUESTION, SECOND_IMAGE)
    assert full.tasks == (FIRST, SECOND_QUESTION)
    labels = ["f32 stock", "f32 stock, use_extra_bufts=False", "f32 budget 1.0", "f32 budget 0.2"]
    assert [case.label for case in (stock, plain, full, fifth)] == labels
    assert stock.partitions == fifth.partitions == (5, 5, 3)
    assert stock.visual_tokens == (80, 80, 48)
    assert fifth.visual_tokens == (16, 16, 9)
    assert [case.context(50) for case in (stock, full, fifth)] == [4096, 256, 256]
    assert [case.context(137) for case in (full, fifth)] == [256, 256]
    assert [case.context(138) for case in (full, fifth)] == [512, 256]
    assert stock.context(5000) == 5120


def test_plan_refuses_a_budget_that_the_pictures_cannot_have(tiny):
    with pytest.raises(BudgetError, match="1000"):
        make_plan(read_mmproj(tiny[1]), SIZES_HW, [1000], [], stock=False, types=["f32"])


def test_a_plan_of_several_types_asks_one_question_of_each(tiny):
    plan = make_plan(read_mmproj(tiny[1]), SIZES_HW, [1.0, 0.2], [0.2], stock=True, types=["q4_0", "q8_0"])
    assert [(case.type, case.engine, case.budget) for case in plan] == [
        (kind, *case)
        for kind in ("q4_0", "q8_0")
        for case in ((STOCK, None), (PLAIN, None), (OURS, 1.0), (OURS, 0.2))
    ]
    assert {case.tasks for case in plan} == {(FIRST,)}
