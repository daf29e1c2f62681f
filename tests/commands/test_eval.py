"""`hired-gguf eval`: files of tasks, what comes out, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from paths import GOLDEN_FOLDER

from hired_gguf.cli import main
from hired_gguf.commands.eval_status import EvalStatus
from hired_gguf.console.terminal import StatusLine
from hired_gguf.errors import InputError
from hired_gguf.evaluation import chart, read_pictures, report

GOLDEN = GOLDEN_FOLDER / "hf_tiny"
PAIR = ["--model", str(GOLDEN / "text-f32.gguf"), "--mmproj", str(GOLDEN / "mmproj-f32.gguf")]
BRIEF = [*PAIR, "--threads", "1", "--n-ctx", "1024", "--max-tokens", "2"]
COFFEE, ROCKET = str(GOLDEN / "coffee.png"), str(GOLDEN / "rocket.png")
TASKS = [
    {
        "image": COFFEE,
        "question": "What is this?",
        "answers": ["a cup", "coffee"],
        "kind": "thing",
        "id": "q1",
    },
    {"image": ROCKET, "question": "What flies?", "answer": "a rocket", "kind": "thing", "source": "NASA"},
    {"image": COFFEE, "question": "How many cups?", "answer": "1", "kind": "count"},
]
GOOD = {"image": COFFEE, "question": "?", "answer": "x"}


def write(path, *lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.fixture
def tasks(tmp_path):
    return str(write(tmp_path / "tasks.jsonl", *TASKS))


@pytest.fixture
def run(capsys):
    """Run the command here; its exit code, standard output and standard error."""

    def runner(*argv):
        code = main(["eval", *argv, *BRIEF])
        return code, *capsys.readouterr()

    return runner


def test_questions_of_a_file_are_gathered_by_picture(tasks):
    coffee, rocket = read_pictures(Path(tasks))
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


def test_malformed_files_and_options_are_wrong_usage(tmp_path, run):
    path = write(tmp_path / "bad.jsonl", {**GOOD, "answer": 5})
    code, out, err = run("--tasks", str(path))
    assert (code, out) == (2, "")
    assert "bad.jsonl, line 1: answer is 5" in err
    code, _, err = run("--tasks", str(tmp_path / "gone.jsonl"))
    assert code == 2
    assert "gone.jsonl' cannot be read: No such file or directory" in err
    for option, value, message in (
        ("--selections", "cls,best", "'best' is none of cls, random, none"),
        ("--allocations", "hired,", "'' is none of hired, official, uniform"),
        ("--alpha", "0.5,2", "'2' is not a number from 0 to 1"),
        ("--budgets", "0", "'0' is neither a fraction"),
        ("--n", "0", "'0' is not a whole number from 1 to"),
        ("--template", "Answer!", "template is 'Answer!'; it must hold {question}"),
    ):
        code, _, err = run(option, value)
        assert code == 2
        assert message in err


def test_report_json_markdown_and_chart(tasks, tmp_path, run):
    json_file, markdown, png = (tmp_path / name for name in ("r.json", "r.md", "r.png"))
    lists = ["--budgets", "1.0,0.3", "--selections", "cls,random,none", "--allocations", "hired,uniform"]
    files = ["--json", str(json_file), "--markdown", str(markdown), "--chart", str(png)]
    code, out, err = run("--tasks", tasks, *lists, *files)
    assert (err, code) == ("", 0)
    document = json.loads(json_file.read_text())
    assert document["complete"] is True
    assert (document["questions"], document["pictures"], document["encoded_images"]) == (3, 2, 2)
    assert document["kinds"] == ["thing", "count"]
    labels = [one["label"] for one in document["configurations"]]
    assert labels == [
        "1.0, all tokens",
        "0.3, hired, cls",
        "0.3, uniform, cls",
        "0.3, hired, random",
        "0.3, uniform, random",
        "no picture",
    ]
    assert len(document["records"]) == 3 * len(labels)
    assert {record["id"] for record in document["records"]} == {"q1", 2, 3}
    assert all(record["finish_reason"] == "length" for record in document["records"])
    assert out.startswith("3 questions about 2 pictures\n")
    assert all(label in out for label in labels)
    assert "thing (2)" in out
    assert out == report.make_report(document).as_text() + "\n"
    assert markdown.read_text() == report.make_report(document).as_markdown()
    assert markdown.read_text().startswith("`hired-gguf eval --tasks ")
    assert png.read_bytes().startswith(b"\x89PNG")


def test_json_to_standard_output_is_the_same_by_seed(tasks, run):
    options = ("--tasks", tasks, "--n", "2", "--seed", "7", "--budgets", "0.3", "--selections", "random")
    documents = []
    for _ in range(2):
        code, out, _ = run(*options, "--json", "-")
        assert code == 0
        documents.append(json.loads(out))
    first, second = ([(r["id"], r["prediction"]) for r in document["records"]] for document in documents)
    assert first == second
    assert len(first) == 2


def test_interrupt_leaves_a_file_that_says_so(tasks, tmp_path, run, monkeypatch):
    note = EvalStatus.note

    def interrupted(self, done, total):
        note(self, done, total)
        if done == 3:  # the second picture's only question
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(EvalStatus, "note", interrupted)
    target = tmp_path / "r.json"
    files = ["--json", str(target), "--markdown", str(tmp_path / "r.md")]
    code, out, err = run("--tasks", tasks, "--budgets", "0.3", *files)
    assert (code, out) == (130, "")
    assert "holds the first 1 pictures, and says that it is not complete" in err
    document = json.loads(target.read_text())
    assert document["complete"] is False
    assert document["questions"] == 2
    assert not (tmp_path / "r.md").exists()


def test_interrupt_before_the_first_picture_is_through_leaves_nothing(tasks, tmp_path, run, monkeypatch):
    monkeypatch.setattr(EvalStatus, "note", lambda self, done, total: signal.raise_signal(signal.SIGINT))
    code, out, _ = run("--tasks", tasks, "--budgets", "0.3", "--json", str(tmp_path / "r.json"))
    assert (code, out) == (130, "")
    assert not (tmp_path / "r.json").exists()


def test_where_nobody_watches_a_plain_line_says_how_far_it_is(capsys):
    EvalStatus(StatusLine()).note(1, 4)
    status = EvalStatus(StatusLine(), pause=0.0)
    status.note(2, 4)
    status.note(4, 4)
    assert capsys.readouterr().err == "hired-gguf: 2 of 4 answers, 1 s left\n"


def test_a_damaged_picture_is_an_error_that_names_it(tmp_path, run):
    (tmp_path / "torn.png").write_bytes(Path(COFFEE).read_bytes()[:200])
    tasks = write(tmp_path / "t.jsonl", {**GOOD, "image": "torn.png"})
    code, _, err = run("--tasks", str(tasks), "--budgets", "0.3")
    assert code == 1
    assert "torn.png" in err


def point(**changes):
    share = {"share": 0.5, "low": 0.4, "high": 0.6}
    basis = {"budget": 0.2, "policy": "hired, cls", "selection": "cls", "full": False, "visual_tokens": 20.0}
    basis["newlines"] = "auto"
    return {**basis, "all": share, **changes}


def test_chart_lines_end_with_all_tokens():
    full = point(budget=1.0, full=True, visual_tokens=100.0)
    lots = point(policy="hired, random", selection="random")
    alone = point(policy="uniform, cls")
    points = [
        full,
        point(),
        point(budget=0.4, visual_tokens=40.0),
        lots,
        {**lots, "visual_tokens": 10.0},
        alone,
    ]
    found = chart.lines([*points, point(policy="no picture", selection="none")])
    assert {policy: [p["visual_tokens"] for p in line] for policy, line in found.items()} == {
        "hired, cls": [20, 40, 100],
        "hired, random": [10, 20, 100],
        "uniform, cls": [20],
    }
    kept = point(budget=1.0, full=True, newlines="keep", visual_tokens=104.0)
    pair = [point(newlines="keep"), point(newlines="keep", visual_tokens=40.0)]
    assert chart.lines([full, kept, *pair])["hired, cls"][-1] is kept
    assert chart.lines([full]) == {"all tokens": [full]}
    assert chart.lines([]) == {}


def test_chart_without_a_picture_is_drawn(tmp_path):
    document = {"model": ["m.gguf"], "questions": 1, "pictures": 1}
    only = point(policy="no picture", selection="none")
    chart.draw({**document, "configurations": [only]}, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000
