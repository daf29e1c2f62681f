"""Tasks: where they come from, and what is wrong with them."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from pictures import picture

from hired_gguf import BudgetError, InputError, PromptError, TokenBudget
from hired_gguf.images.find import find_pictures
from hired_gguf.qa.inputs import every_question, read_tasks
from hired_gguf.qa.pictures import Picture, group_by_image
from hired_gguf.qa.schema import load_schema
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.task import identity, make_task, make_tasks

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


# Pictures and questions


@pytest.fixture
def folder(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.tiff", "readme.txt", "._a.jpg", "noext"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.png").mkdir()
    return tmp_path


def test_a_folder_gives_its_pictures_in_name_order(folder):
    assert find_pictures(str(folder)) == [str(folder / name) for name in ("a.jpg", "b.PNG", "c.tiff")]


def test_a_glob_gives_the_files_that_it_names(folder):
    assert find_pictures(str(folder / "[abn]*")) == [str(folder / n) for n in ("a.jpg", "b.PNG", "noext")]
    assert find_pictures(str(folder / "a.jpg")) == [str(folder / "a.jpg")]
    assert find_pictures(str(folder / "**" / "c.*")) == [str(folder / "c.tiff")]


def test_every_question_about_every_picture_once(folder):
    where = [str(folder / "b*"), str(folder), str(folder / "a.jpg")]
    tasks = every_question(where, ["Q1", "Q2"])
    assert [(task["image"][-5:], task["question"]) for task in tasks] == [
        *(
            ("b.PNG", "Q1"),
            ("b.PNG", "Q2"),
            ("a.jpg", "Q1"),
            ("a.jpg", "Q2"),
            (".tiff", "Q1"),
            (".tiff", "Q2"),
        )
    ]


@pytest.mark.parametrize("where", ["none", "none/*.png"])
def test_no_pictures(folder, where):
    with pytest.raises(InputError, match=r"no pictures in '.*none"):
        find_pictures(str(folder / where))


# Files


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_json_lines(write):
    text = '\ufeff{"image": "a", "question": "é"}\r\n\r\n{"question": 3}\n'
    assert read_tasks(write("t.jsonl", text)) == [{"image": "a", "question": "é"}, {"question": 3}]


def test_csv(write):
    text = '\ufeffid,image, question ,budget,max_tokens\r\n7,a,"What, \n""now""?",0.2,\r\n,b,Q,640,12\r\n'
    first, second = read_tasks(write("t.csv", text))
    assert first == {
        "id": "7",
        "image": "a",
        "question": 'What, \n"now"?',
        "budget": 0.2,
        "max_tokens": "",
    }
    assert (second["budget"], second["max_tokens"]) == (640, 12)
    task = make_task(second, 2)
    assert (task.id, task.budget, task.max_tokens, task.error) == (2, 640, 12, None)


def test_without_a_known_name_the_content_decides(write):
    assert read_tasks(write("t.txt", '\n {"image": "a"}\n')) == [{"image": "a"}]
    assert read_tasks(write("t.txt", "image,question\na,Q\n"))[0]["question"] == "Q"


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"image": "a", "question": "Q"}')))
    assert read_tasks("-") == [{"image": "a", "question": "Q"}]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input is a terminal or closed: pipe a file into it"):
        read_tasks("-")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.jsonl", '{"image": "a"}\n{"image": \n', r"'.*t.jsonl', line 2 is not JSON: "),
        ("t.jsonl", "image,question\n", r"line 1 is not JSON"),
        ("t.jsonl", '{"image": NaN}', r"line 1 is not JSON: NaN"),
        ("t.jsonl", '[{"image": "a"}]', r"line 1 is a JSON list; needed is one object a line"),
        ("t.jsonl", b'{"image": "a"}\n{"image": "\xff"}\n', r"line 2 is not UTF-8"),
        ("t.jsonl", "\n\n", "holds no tasks"),
        ("t.jsonl", '{"a":' * 100_000, "line 1 is not JSON"),
        ("t.csv", "", "line 1: no column image and no question"),
        (
            "t.csv",
            "image;question\na;b\n",
            r"line 1: no column image and no question; found: \['image;question",
        ),
        ("t.csv", "image,text\na,b\n", "line 1: no column question"),
        ("t.csv", "image,question\na,b\nc,d,e\n", "line 3 has more cells"),
        ("t.csv", 'image,question\na,"b\n', "line 2 is not CSV"),
        ("t.csv", "image,question\n", "holds no tasks"),
    ],
)
def test_malformed_files(write, name, content, said):
    with pytest.raises(InputError, match=said):
        read_tasks(write(name, content))


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"none.jsonl' cannot be read: No such file"):
        read_tasks(str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="cannot be read"):
        read_tasks(str(tmp_path))


# Fields


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


# Groups and keys


def test_groups_are_by_image_in_order_of_appearance():
    pixels = np.zeros((4, 4, 3), np.uint8)
    images = ["b", "a", "b", pixels, picture(), pixels.copy(), "a", picture(), None]
    tasks = make_tasks([{"image": image, "question": "Q"} for image in images])
    assert list(group_by_image(tasks)) == [[0, 2], [1, 6], [3, 5], [4, 7], [8]]


def test_equal_budgets_stand_together():
    tasks = make_tasks([{"image": "a", "question": "Q", "budget": b} for b in (None, 0.4, None, 1, 1.0, 0.4)])
    assert list(group_by_image(tasks)) == [[0, 2, 1, 5, 3, 4]]


def test_an_image_is_its_content(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"x")
    second.write_bytes(b"x")
    assert Picture(first, False).digest() == Picture(str(second), False).digest()
    second.write_bytes(b"y")
    assert Picture(first, False).digest() != Picture(second, False).digest()
    assert Picture("none", False).digest() == "unreadable 'none'"
    assert Picture("http://x.org/a.png", False).digest() == "unreadable 'http://x.org/a.png'"


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


# Schemas and settings


def test_schemas_come_as_object_text_or_file(write):
    text = json.dumps(SCHEMA)
    assert load_schema(SCHEMA) == load_schema(text) == load_schema(write("s.json", text)) == SCHEMA


def test_a_huge_schema_is_not_read(write):
    with pytest.raises(InputError, match="longer than"):
        load_schema(write("s.json", b" " * (2 << 20)))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"template": "Question:"}, InputError, r"template is 'Question:'; it must hold \{question\}"),
        ({"sampling": {"top_q": 1}}, PromptError, "there is no option 'top_q'"),
        ({"sampling": {"grammar": object()}}, InputError, "must be plain JSON"),
    ],
)
def test_bad_settings(given, error, said):
    with pytest.raises(error, match=said):
        QaSettings("m", "v", **given)


def test_differences_are_named():
    old = QaSettings("m", "v", TokenBudget(1), system="x" * 100)
    record = {**old.as_dict(), "settings": old.as_dict()}
    assert old.differences(record) == []
    found = QaSettings("n", "v", TokenBudget(1.0), temperature=0.5).differences(record)
    assert found[0] == 'model was "m" and is "n"'
    assert found[1:2] + found[3:] == ["budget was 1 and is 1.0", "temperature was 0.0 and is 0.5"]
    assert found[2].startswith('system was "xxx')
    assert found[2].endswith("... and is null")
    assert len({old.fingerprint, QaSettings("m", "v", TokenBudget(1.0), system="x" * 100).fingerprint}) == 2
