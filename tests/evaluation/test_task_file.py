"""Files of tasks: what is read, and what is wrong by line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import COFFEE
from task_files import GOOD, TASKS, write

from hired_gguf.errors import InputError
from hired_gguf.evaluation import read_pictures


def test_questions_of_a_file_are_gathered_by_picture(tmp_path):
    coffee, rocket = read_pictures(write(tmp_path / "tasks.jsonl", *TASKS))
    assert [q.text for q in coffee.questions] == ["What is this?", "How many cups?"]
    assert [q.id for q in coffee.questions] == ["q1", 3]
    assert coffee.questions[0].answers == ("a cup", "coffee")
    assert rocket.questions[0].answers == ("a rocket",)
    assert rocket.load().mode == "RGB"


def test_paths_are_seen_from_the_file_s_folder(tmp_path):
    (tmp_path / "photo.png").write_bytes(Path(COFFEE).read_bytes())
    (found,) = read_pictures(write(tmp_path / "t.jsonl", "", {**GOOD, "image": "photo.png"}, ""))
    assert found.name == str(tmp_path / "photo.png")
    assert found.questions[0].id == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2 is not JSON: "),
        ("[1]", r"line 2 is a JSON list; needed is one object a line"),
        ({"question": "?", "answer": "x"}, r"line 2: image is missing"),
        ({"image": COFFEE, "answer": "x"}, r"line 2: question is missing"),
        ({"image": COFFEE, "question": "?"}, r"line 2: answers is missing"),
        ({**GOOD, "answers": ["x"]}, r"line 2: either answer or answers is needed, not both"),
        ({**GOOD, "image": "gone.png"}, r"line 2: image '.*gone\.png' is no such file"),
        ({**GOOD, "image": "."}, r"line 2: image '.*' is not a file"),
        ({**GOOD, "image": 5}, r"line 2: image is 5; allowed: a text that is not empty"),
        ({**GOOD, "question": " "}, r'line 2: question is " "; allowed: a text that is not empty'),
        ({**GOOD, "answer": 5}, r"line 2: answer is 5; allowed: a text"),
        ({**GOOD, "answer": "..."}, r'line 2: answer is "\.\.\.": nothing that could be matched'),
        ({"image": COFFEE, "question": "?", "answers": []}, r"line 2: answers is \[\]: nothing"),
        (
            {"image": COFFEE, "question": "?", "answers": "x"},
            r'line 2: answers is "x"; allowed: a list of texts',
        ),
        (
            {"image": COFFEE, "question": "?", "answers": ["x", 1]},
            r"line 2: answers is \[.*\]; allowed: a list",
        ),
        ({**GOOD, "id": [1]}, r"line 2: id is \[1\]; allowed: a text or a whole number"),
        ({**GOOD, "kind": None}, r"line 2: kind is null; allowed: a text that is not empty"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path, line, message):
    path = write(tmp_path / "bad.jsonl", GOOD, line)
    with pytest.raises(InputError, match=r"bad\.jsonl, " + message):
        read_pictures(path)


def test_a_line_that_is_not_utf8(tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"question": "\xe9"}\n')
    with pytest.raises(InputError, match=r"latin\.jsonl, line 2 is not UTF-8"):
        read_pictures(path)


def test_a_file_without_questions(tmp_path):
    with pytest.raises(InputError, match=r"empty\.jsonl holds no questions"):
        read_pictures(write(tmp_path / "empty.jsonl", ""))
