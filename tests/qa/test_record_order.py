"""In which order records stand in the output."""

from __future__ import annotations

import json
import os
import stat

import pytest
from store_runs import KEYS, TASKS, ids, names, run

from hired_gguf.qa.task import make_tasks

pytestmark = pytest.mark.usefixtures("hasty")


# Order


@pytest.mark.parametrize("order", [range(6), [5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5]])
def test_records_stand_in_the_tasks_order(tmp_path, order):
    output = tmp_path / "o.jsonl"
    assert run(output, order) == list(order)
    assert ids(output) == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["o.jsonl"]
    assert run(output) == []
    assert names(tmp_path) == ["o.jsonl"]


def test_or_as_they_were_completed(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [3, 1, 5, 0, 2, 4], in_order=False)
    assert ids(output) == [4, 2, 6, 1, 3, 5]


def test_a_record_waits_in_the_journal_for_its_turn(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [0, 2, 3], finish=False)
    assert ids(output) == [1]
    assert names(tmp_path) == ["o.jsonl", "o.jsonl.journal"]
    assert run(output, [5, 4, 3, 2, 1]) == [5, 4, 1]
    assert ids(output) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("in_order", [True, False])
def test_a_run_may_go_on_in_the_other_way(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output, [4, 0, 2], in_order=not in_order, finish=False)
    assert run(output, in_order=in_order) == [1, 3, 5]
    assert sorted(ids(output)) == [1, 2, 3, 4, 5, 6]
    assert not in_order or ids(output) == [1, 2, 3, 4, 5, 6]


# Other tasks than before


def test_records_of_other_tasks_stay_in_front(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, range(2), tasks=TASKS[:2], keys=KEYS[:2])
    run(output, range(3), tasks=TASKS[2:5], keys=KEYS[2:5])
    assert ids(output) == [1, 2, 3, 4, 5]


def test_a_task_that_came_in_between_gets_its_place(tmp_path):
    output = tmp_path / "o.jsonl"
    few = [0, 2, 4]
    run(output, range(3), tasks=[TASKS[i] for i in few], keys=[KEYS[i] for i in few])
    os.chmod(output, 0o640)
    assert run(output) == [1, 3, 5]
    assert ids(output) == [1, 2, 3, 4, 5, 6]
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


@pytest.mark.parametrize("in_order", [True, False])
def test_an_answer_follows_its_task_to_another_name(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output)
    renamed = make_tasks({"id": f"new {n}", "image": f"b/{n}.png", "question": "q"} for n in range(6))
    assert run(output, tasks=renamed, in_order=in_order) == []
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(r["id"], r["image"], r["key"]) for r in found] == [
        (f"new {n}", f"b/{n}.png", KEYS[n]) for n in range(6)
    ]


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("interrupted", [True, False])
def test_errors_are_asked_again_when_wanted(tmp_path, in_order, interrupted):
    output = tmp_path / "o.jsonl"
    run(output, errors={1, 4}, in_order=in_order)
    assert run(output, in_order=in_order) == []
    again = {"retry_errors": True, "in_order": in_order}
    if interrupted:
        assert run(output, range(3), finish=False, **again) == [1]
        assert ids(output) == [1, 2, 3, 4, 5, 6]
        assert run(output, **again) == [4]
    else:
        assert run(output, errors={4}, **again) == [1, 4]
        assert run(output, **again) == [4]
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert {r["status"] for r in found} == {"ok"}
    assert sorted(r["id"] for r in found) == [1, 2, 3, 4, 5, 6]
    assert not in_order or ids(output) == [1, 2, 3, 4, 5, 6]
