"""`hired-gguf qa`: from options to records, and what is said meanwhile."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import pytest
from golden_pair import MMPROJ, NAMES, TEXT, photo

from hired_gguf import LlavaNext
from hired_gguf.commands.qa_status import BatchStatus, in_words
from hired_gguf.console.terminal import StatusLine
from hired_gguf.qa import batch, isolation
from hired_gguf.qa.progress import BatchProgress

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

PAIR = ("--model", str(TEXT), "--mmproj", str(MMPROJ), "--threads", "1", "--max-tokens", "4")
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "hired-gguf")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with two pictures and another file, and no settings of the user's."""
    for name in list(os.environ):
        if name.startswith("HIRED_GGUF_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in NAMES[:2]:
        shutil.copy(photo(name), tmp_path / "photos")
    (tmp_path / "photos" / "notes.txt").touch()
    return tmp_path


@pytest.fixture
def run(run):
    """Runs `hired-gguf qa`."""
    return partial(run, "qa")


def read(name):
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


ASK = ("--images", "photos", "--question", "What?", "--question", "Who?", *PAIR)


def test_every_question_about_every_picture(run):
    code, out, err = run(*ASK, "--output", "o.jsonl")
    assert (code, out) == (0, "")
    found = [(record["image"], record["question"], record["status"]) for record in read("o.jsonl")]
    images = [os.path.join("photos", f"{name}.png") for name in sorted(NAMES[:2])]
    assert found == [(image, question, "ok") for image in images for question in ("What?", "Who?")]
    assert "hired-gguf: done: 4 of 4 questions, 2 of 2 images, " in err
    assert "% of visual tokens" in err
    assert err.endswith("; records in o.jsonl\n")
    code, _, err = run(*ASK, "--output", "o.jsonl")
    assert code == 0
    assert "done: 4 of 4 questions (4 from before), 2 of 2 images; records in o.jsonl" in err


def test_the_records_are_those_of_ask_many(run):
    code, out, _ = run(
        *ASK, "--system", "Be brief.", "--template", "Q: {question}", "--chat-template", "mistral"
    )
    records = [json.loads(line) for line in out.splitlines()]
    with LlavaNext(TEXT, MMPROJ, template="mistral", n_threads=1) as llm:
        tasks = [{"image": r["image"], "question": r["question"]} for r in records]
        options = {"system": "Be brief.", "template": "Q: {question}", "max_tokens": 4}
        expected = list(llm.ask_many(tasks, **options))
    for record in (*records, *expected):
        record.update(timings=None)
    assert (code, records) == (0, expected)


def test_tasks_from_csv_and_their_errors(run):
    Path("tasks.csv").write_text(
        "id,image,question,budget,mood\nx,photos/none.png,Q,,\ny,photos/astronaut.png,Q,9,\n"
    )
    code, _, err = run("--input", "tasks.csv", "--output", "o.jsonl", *PAIR)
    first, second = read("o.jsonl")
    assert code == 0
    assert (first["id"], first["status"], first["error"]["type"]) == ("x", "error", "ImageError")
    assert (second["id"], second["status"], second["visual_tokens"]) == ("y", "ok", 9)
    assert "fields of the input that are ignored: mood" in err
    assert "1 error" in err


def test_tasks_from_standard_input(run, monkeypatch):
    line = json.dumps({"image": "photos/astronaut.png", "question": "Q"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
    code, out, _ = run("--input", "-", *PAIR)
    assert code == 0
    assert json.loads(out)["status"] == "ok"


def test_answers_by_a_schema(run):
    Path("s.json").write_text('{"enum": ["red", "green"]}')
    code, out, _ = run(*ASK, "--schema", "s.json", "--max-tokens", "20")
    assert code == 0
    assert {json.loads(line)["parsed"] for line in out.splitlines()} <= {"red", "green"}


def test_the_chat_template_of_the_environment_is_not_the_questions(run, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_TEMPLATE", "mistral")
    record = json.loads(run(*ASK)[1].splitlines()[0])
    assert (record["settings"]["chat_template"], record["settings"]["template"]) == ("mistral", "{question}")


@pytest.mark.parametrize("isolate", [True, False])
def test_a_worker_process_is_the_default_with_a_file(run, monkeypatch, isolate):
    started, real = [], isolation.IsolatedAsker
    monkeypatch.setattr(batch, "IsolatedAsker", lambda *given: started.append(given) or real(*given))
    assert run(*ASK)[0] == 0
    assert started == []
    chosen = ("--isolate", "--task-timeout", "60") if isolate else ("--no-isolate", "--output", "a.jsonl")
    code, out, _ = run(*ASK, *chosen)
    assert (code, out.count("\n")) == (0, 4 if isolate else 0)
    assert run(*ASK, "--output", "b.jsonl")[0] == 0
    assert len(started) == 1 + isolate
    assert [len(read(name)) for name in ("a.jsonl", "b.jsonl") if Path(name).exists()] == [4] * (2 - isolate)


def test_as_completed(run):
    tasks = [{"image": f"photos/{name}.png", "question": q} for q in "QR" for name in NAMES[:2]]
    Path("t.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    run("--input", "t.jsonl", "--output", "o.jsonl", "--as-completed", *PAIR)
    assert [record["id"] for record in read("o.jsonl")] == [1, 3, 2, 4]


def test_other_settings_and_force(run):
    run(*ASK, "--output", "o.jsonl")
    before = Path("o.jsonl").read_bytes()
    code, _, err = run(*ASK, "--output", "o.jsonl", "--budget", "0.4")
    assert (code, err.count("\n")) == (2, 1)
    assert "o.jsonl was made with other settings: budget was 0.2 and is 0.4. Name another file" in err
    assert Path("o.jsonl").read_bytes() == before
    assert run(*ASK, "--output", "o.jsonl", "--budget", "0.4", "--force")[0] == 0
    assert [record["budget"] for record in read("o.jsonl")] == [0.2] * 4 + [0.4] * 4


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "give either --images and --question, or --input"),
        (("--images", "photos"), "--images needs --question"),
        (("--images", "photos", "--question", "Q", "--input", "-"), "give either"),
        (("--input", "t.jsonl", "--question", "Q"), "--question needs --images"),
        (("--images", "empty*", "--question", "Q"), "no pictures in 'empty*'"),
        (("--input", "none.jsonl"), "'none.jsonl' cannot be read: No such file"),
        (("--input", "photos/notes.txt"), "line 1: no column image"),
        (("--input", "bad.jsonl"), "'bad.jsonl', line 2 is not JSON"),
        ((*ASK, "--template", "Q:"), "template is 'Q:'; it must hold {question}"),
        ((*ASK, "--schema", "none.json"), "schema 'none.json' cannot be read"),
        ((*ASK, "--schema", "bad.json"), "cannot be made a grammar"),
        ((*ASK, "--task-timeout", "5"), "are about the worker process: give --isolate"),
        ((*ASK, "--output", "o.jsonl", "--no-isolate", "--memory-limit", "5"), "give --isolate"),
        ((*ASK, "--isolate", "--task-timeout", "0"), "--task-timeout"),
        ((*ASK, "--retry-errors"), "give --output"),
        ((*ASK, "--output", "photos"), "is not a regular file"),
        ((*ASK, "--output", "none/o.jsonl"), "there is no folder"),
        ((*ASK, "--output", "bad.json"), "holds something else than records"),
        (("--input", "good.jsonl", "--output", "good.jsonl", *PAIR), "is an input of the same run"),
    ],
)
def test_usage_errors(run, argv, said):
    good = '{"image": "photos/astronaut.png", "question": "Q"}\n'
    Path("good.jsonl").write_text(good)
    Path("bad.jsonl").write_text(good + "{\n")
    Path("bad.json").write_text('{"type": "nonsense"}\n')
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert Path("good.jsonl").read_text() == good


def test_a_model_that_does_not_load_leaves_nothing(run, folder):
    text = Path("text.gguf")
    text.write_bytes(TEXT.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_z.weight"))
    assert run(*ASK, "--model", str(text), "--output", "o.jsonl")[0] == 1
    assert not list(folder.glob("o.jsonl*"))


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_a_terminal_sees_how_far_it_is():
    main_end, side = os.openpty()
    process = subprocess.Popen([SCRIPT, "qa", *ASK, "--output", "o.jsonl"], stdout=side, stderr=side)
    os.close(side)
    shown = b""
    try:
        while piece := os.read(main_end, 4096):
            shown += piece
    except OSError:  # so Linux says that nobody has the other side
        pass
    os.close(main_end)
    assert process.wait() == 0
    seen = shown.decode()
    for text in ("loading text", "0 of 4 questions, 0 of 2 images; encoding 1/1", "prefill", "s left"):
        assert text in seen
    assert seen.rstrip().splitlines()[-1].startswith("hired-gguf: done: 4 of 4 questions, 2 of 2 images")


# What is said


def test_words_of_a_progress(monkeypatch):
    progress = BatchProgress(total=200, images=20)
    assert in_words(progress) == "0 of 200 questions, 0 of 20 images"
    progress.done, progress.skipped, progress.images_done, progress.errors = 30, 10, 3, 2
    progress.visual_tokens, progress.visual_tokens_full = 576, 2928
    monkeypatch.setattr("hired_gguf.qa.progress.time.monotonic", lambda: progress.started + 50)
    assert in_words(progress) == (
        "30 of 200 questions (10 from before), 3 of 20 images, 2 errors, 20 % of visual tokens, "
        "2.5 s each, 7 min left"
    )


def test_lines_where_nobody_watches_are_few(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("hired_gguf.console.terminal.time.monotonic", lambda: 1000 + now[0])
    status = BatchStatus(StatusLine())
    progress = BatchProgress(total=100, images=1)
    for second in range(35):
        now[0] = second
        progress.done = second
        status.note(progress)
    status.finish(None)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["0", "10", "20", "30", "done:"]
