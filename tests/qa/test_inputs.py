"""Tasks: where they come from."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from hired_gguf import InputError
from hired_gguf.qa.inputs import every_question, read_tasks
from hired_gguf.qa.task import make_task, make_tasks

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
    limit = csv.field_size_limit()
    for text in (f'image,question\n"{url}",Q\n', json.dumps({"image": url, "question": "Q"})):
        assert read_tasks(write("t.txt", text))[0]["image"] == url
    assert csv.field_size_limit() == limit  # which is the whole process's
    with pytest.raises(InputError, match=r"line 1 is not JSON: Exceeds the limit \(4300 digits\)"):
        read_tasks(write("t.jsonl", '{"image": "a", "question": "Q", "id": ' + "9" * 5000 + "}"))


PLAIN = [{"image": "é.png", "question": "Q1"}, {"image": "b.png", "question": "Q, 2"}]
ROWS = [["image", "question"], *(list(task.values()) for task in PLAIN)]


def table(delimiter, *, end="\r\n", first=""):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(ROWS)
    return first + text.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        *(table(delimiter) for delimiter in ",;\t|"),
        *(table(d, first=f"sep={d}\r\n") for d in ";\t"),
        table(":", first='"sep=:"\n', end="\n"),
        table(";", end="\n").replace("image;question", " Image ;QUESTION;;") + ";;;\n\n;;\n",
        table(",", end="\r"),
    ],
)
def test_tables_as_spreadsheets_write_them(write, text, encoding):
    found = read_tasks(write("t.csv", text.encode(encoding)))
    assert [{name: task[name] for name in PLAIN[0]} for task in found] == PLAIN
    assert read_tasks(write("t.txt", text.encode(encoding))) == found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PLAIN),
        json.dumps(PLAIN, indent=2, ensure_ascii=False),
        "\r\n".join(json.dumps(task) for task in PLAIN),
        "\n".join(json.dumps(task, indent=1) for task in PLAIN),
        " " + json.dumps(PLAIN, indent=0) + "\n\n",
    ],
)
def test_json_as_programs_write_it(write, text, encoding):
    for name in ("t.jsonl", "t.json", "t.txt"):
        assert read_tasks(write(name, text.encode(encoding))) == PLAIN


def test_one_object_over_several_lines_is_a_task(write):
    assert read_tasks(write("t.json", json.dumps(PLAIN[0], indent=2))) == PLAIN[:1]


def test_what_pandas_writes_for_missing_values_is_missing(write):
    text = '{"image": "a", "question": "Q", "budget": NaN, "id": NaN}\n{"image": "a", "question": NaN}\n'
    text += '{"image": "a", "question": "Q", "budget": Infinity, "max_tokens": -Infinity}\n'
    whole, none, endless = make_tasks(read_tasks(write("t.jsonl", text)))
    assert (whole.id, whole.budget, whole.error) == (1, None, None)
    assert (str(none.error), none.id) == ("question is missing", 2)
    assert "budget is inf" in str(endless.error)


def test_decimal_commas_where_semicolons_separate(write):
    first, second = read_tasks(write("t.csv", "image;question;budget\na;Q;0,25\na;Q;640\n"))
    assert (first["budget"], second["budget"]) == (0.25, 640)


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
        ("t.jsonl", '{"image": "a"}\n[1]', r"line 2 is a JSON list; needed is one object a line"),
        ("t.json", '[{"image": "a"}, 5]', r"item 2 is a JSON int; needed is an object"),
        ("t.json", '[\n {"image": "a"},\n {"image": b}\n]', r"line 3 is not JSON: Expecting value"),
        ("t.json", '"a"', r"line 1 is a JSON str; needed is one object a line"),
        ("t.json", "[]", "holds no tasks"),
        ("t.jsonl", b'{"image": "a"}\n{"image": "\xff"}\n', r"line 2 is not UTF-8"),
        ("t.jsonl", "\n\n", "holds no tasks"),
        ("t.jsonl", '{"a":' * 100_000, "line 1 is not JSON"),
        ("t.csv", "", "line 1: no column image and no question"),
        ("t.csv", "image:question\na:b\n", r"line 1: no column image and no question; found: \['image:q"),
        ("t.csv", "sep=;\nimage;text\na;b\n", r"line 2: no column question; found: \['image', 'text'\]"),
        ("t.csv", "sep=;\nimage;question\na;b\nc;d;e\n", "line 4 has more cells"),
        ("t.csv", "image,question,Image\na,b,c\n", "line 1: the column image is there twice"),
        ("t.csv", "image,question\nä,b\n".encode("cp1252"), r"line 2 is not UTF-8: .*save it as UTF-8"),
        ("t.csv", b"\xff\xfei\0m\0", "no column"),
        ("t.csv", b"\xff\xfei\0m\0a", "is not UTF-16, as it begins: truncated data; save it as UTF-8"),
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
