"""The fields of a task, and what is wrong with them."""

from __future__ import annotations

import json

import hostile
import numpy as np
import pytest
from pictures import picture

from hired_gguf import BudgetError, HiredError, InputError, PromptError
from hired_gguf.qa.asking import failure
from hired_gguf.qa.pictures import group_by_image
from hired_gguf.qa.record import make_record
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.task import identity, make_task, make_tasks

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize("name", hostile.VALUES)
@pytest.mark.parametrize("field", ["image", "question", "id", "budget", "max_tokens", "schema"])
def test_any_value_is_a_task_that_a_record_can_name(field, name):
    value = hostile.VALUES[name]
    tasks = make_tasks([{"image": "a", "question": "Q", field: value}, {"image": "a", "question": "R"}])
    assert isinstance(tasks[0].error, HiredError | None)
    assert sorted(index for group in group_by_image(tasks) for index in group) == [0, 1]
    assert identity(tasks[0]) != identity(tasks[1])
    settings = QaSettings("m", "p")
    json.dumps(make_record("k", tasks[0], settings, failure(tasks[0].error)))


def test_what_is_missing_is_the_runs_own():
    task = make_task({"image": "a", "question": "Q", "budget": float("nan"), "schema": " ", "x": 1}, 3)
    assert (task.id, task.budget, task.max_tokens, task.schema, task.error) == (3, None, None, None, None)


def test_numbers_of_numpy_and_pandas():
    fields = {"id": np.int64(4), "budget": np.float64(0.5), "max_tokens": 32.0}
    task = make_task({"image": np.str_("a"), "question": np.str_("Q"), **fields}, 1)
    assert (task.id, task.budget, task.max_tokens, task.error) == (4, 0.5, 32, None)
    assert [type(x) for x in (task.id, task.budget, task.max_tokens)] == [int, float, int]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"image": None}, InputError, "image is missing"),
        ({"image": ""}, InputError, "image is ''; allowed: a path, a URL"),
        ({"image": 5}, InputError, "image is 5; allowed"),
        ({"question": None}, InputError, "question is missing"),
        ({"question": " \n"}, InputError, "question is empty"),
        ({"question": ["Q"]}, InputError, r"question is \['Q'\]; allowed: a string"),
        ({"question": "\ud800"}, InputError, "question holds a lone surrogate at character 0"),
        ({"id": {}}, InputError, "id is {}; allowed: a string or a whole number"),
        ({"id": True}, InputError, "id is True"),
        (
            {"id": 10**1000},
            InputError,
            "id is 1000.*; allowed: a string or a whole number of at most 1000 digits",
        ),
        ({"budget": "half"}, BudgetError, "budget is 'half'; allowed: a number of tokens from 1"),
        ({"budget": 1.5}, BudgetError, "budget is 1.5"),
        ({"budget": float("inf")}, BudgetError, "budget is inf"),
        ({"max_tokens": 0}, InputError, "max_tokens is 0; allowed: a whole number from 1 to"),
        ({"max_tokens": 1.5}, InputError, "max_tokens is 1.5"),
        ({"max_tokens": 10**400}, InputError, "max_tokens is 1000"),
        ({"schema": 5}, InputError, "schema is a int; allowed: a JSON object, or the path of one"),
        ({"schema": "none.json"}, InputError, "schema 'none.json' cannot be read"),
        ({"schema": "{"}, InputError, "schema is not JSON"),
        ({"schema": {"type": "nonsense"}}, PromptError, "schema cannot be made a grammar"),
    ],
)
def test_bad_fields(fields, error, said):
    task = make_task({"image": "a", "question": "Q", **fields}, 9)
    assert type(task.error) is error
    assert task.error.args[0]
    with pytest.raises(error, match=said):
        raise task.error
    if "id" in fields:
        assert task.id == 9


@pytest.mark.parametrize(
    ("tasks", "said"),
    [("abc", "tasks is a str"), ({"image": "a"}, "tasks is a dict"), ([{}, "abc"], r"tasks\[1\] is a str")],
)
def test_tasks_of_another_kind(tasks, said):
    with pytest.raises(InputError, match=said):
        make_tasks(tasks)


def test_labels():
    def label(image):
        return make_task({"image": image, "question": "Q"}, 1).image_label

    assert label("a/b.png") == "a/b.png"
    assert label("data:image/png;base64,AAAA") == "data: URL of 26 characters"
    assert label(picture()) == "<PIL image RGB 40 x 24>"
    assert label(5) == "<int>"


def test_identity_is_all_but_names():
    def of(**fields):
        return identity(make_task({"image": "a", "question": "Q", **fields}, 1))

    assert of() == of(id=4, image="b")
    different = [
        of(),
        of(question="R"),
        of(budget=1),
        of(budget=1.0),
        of(max_tokens=4),
        of(schema=SCHEMA),
        of(schema={**SCHEMA, "required": []}),
        of(budget="x"),
    ]
    assert len(set(different)) == len(different)
