"""`hired-gguf eval`: what comes out, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from command_line import COFFEE, PAIR
from task_files import GOOD, TASKS, write

from hired_gguf.commands.eval_status import EvalStatus
from hired_gguf.console.terminal import StatusLine
from hired_gguf.evaluation import report

BRIEF = (*PAIR, "--n-ctx", "1024", "--max-tokens", "2")


@pytest.fixture
def tasks(tmp_path):
    """A file of three questions about two pictures."""
    return str(write(tmp_path / "tasks.jsonl", *TASKS))


@pytest.fixture
def run(run):
    """Runs `hired-gguf eval` on the golden pair."""
    return lambda *argv: run("eval", *argv, *BRIEF)


def test_malformed_files_and_options_are_wrong_usage(tmp_path, run):
    path = write(tmp_path / "bad.jsonl", {**GOOD, "answer": 5})
    code, out, err = run("--tasks", str(path))
    assert (code, out) == (2, "")
    assert "bad.jsonl, line 1: answer is 5" in err
    code, _, err = run("--tasks", str(tmp_path / "gone.jsonl"))
    assert code == 2
    assert "gone.jsonl' cannot be read: No such file or directory" in err
    for option, value, message in (
        ("--selections", "cls,best", "'best' is none of cls, scope, "),
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
