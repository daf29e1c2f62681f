"""Tasks: where they come from."""

from __future__ import annotations

import io
import json
import sys

import pytest

from hired_gguf import InputError
from hired_gguf.qa.inputs import every_question, read_tasks
from hired_gguf.qa.task import make_task

# Pictures and questions


def test_every_question_about_every_picture_once(pictures_folder):
    where = [str(pictures_folder / "b*"), str(pictures_folder), str(pictures_folder / "a.jpg")]
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


# Files


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


def test_cells_and_numbers_beyond_the_defaults_of_libraries(write):
    url = "data:image/png;base64," + "A" * 400_000
    for text in (f'image,question\n"{url}",Q\n', json.dumps({"image": url, "question": "Q"})):
        assert read_tasks(write("t.txt", text))[0]["image"] == url
    with pytest.raises(InputError, match=r"line 1 is not JSON: Exceeds the limit \(4300 digits\)"):
        read_tasks(write("t.jsonl", '{"image": "a", "question": "Q", "id": ' + "9" * 5000 + "}"))


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
