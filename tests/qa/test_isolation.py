"""Tasks in a worker process: what kills, stops or starves it is one task's matter."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from functools import partial

import pytest
from child_workers import Rogue, never_loads
from golden_pair import NAMES, photo
from PIL import Image

from hired_gguf import ClosedError, CrashError, InputError, LlavaNext, ModelFormatError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.qa import isolation, patience
from hired_gguf.qa.batch import ask_many
from hired_gguf.qa.opener import Opener
from hired_gguf.qa.patience import Patience
from hired_gguf.qa.settings import settings_of_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits and signals of Linux"),
]

VARYING = ("timings", "reuse")
OPTIONS = {"n_ctx": 512, "n_threads": 1}


def lasting(records):
    return [{name: value for name, value in r.items() if name not in VARYING} for r in records]


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def ask(tiny):
    """Asks a rogue model in a worker."""
    settings = settings_of_files(tiny[0], read_mmproj(tiny[1]), max_tokens=2)

    def ask(questions, *, opening=None, options=None, **given):
        tasks = [q if isinstance(q, dict) else {"image": str(photo()), "question": q} for q in questions]
        opening = opening or partial(Rogue, *tiny, **OPTIONS)
        opener = Opener(opening, isolate=True, **(options or {}))
        return list(ask_many(opener, tasks, settings, **given))

    return ask


@pytest.fixture
def children(monkeypatch):
    """The workers that were started."""
    started = []

    class Known(isolation.Child):
        def __init__(self, *target, **options):
            super().__init__(*target, **options)
            started.append(self)

    monkeypatch.setattr(isolation, "Child", Known)
    return started


def told(records):
    return [(record["status"], (record["error"] or {}).get("message")) for record in records]


# As without a worker


def test_records_are_the_same_and_an_image_is_paid_for_once(llm, tmp_path):
    upright = Image.open(photo(NAMES[1]))
    upright.getexif()[0x0112] = 6
    images = [str(photo()), photo(NAMES[1]).read_bytes(), upright, "none.png", b"junk"]
    tasks = [{"image": image, "question": q} for q in ("Q", "R", "S") for image in images]
    tasks += [{"image": str(photo()), "question": "Q", "schema": {"enum": ["a" * 40]}}, {}]
    plain = list(llm.ask_many(tasks, max_tokens=4))
    isolated = list(llm.ask_many(tasks, max_tokens=4, isolate=True, output=tmp_path / "o.jsonl"))
    assert lasting(isolated) == lasting(plain)
    assert Counter(r["status"] for r in isolated) == {"ok": 9, "error": 8}
    fresh = [r["reuse"] and r["reuse"]["encoded_images"] for r in isolated]
    assert fresh == [1, 1, 1, None, None, 0, 0, 0, None, None, 0, 0, 0, None, None, 0, None]
    assert all(record["reuse"]["reused_tokens"] > 0 for record in isolated[5:8])


def test_a_picture_is_what_was_read_whatever_comes_there_later(llm, tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(photo().read_bytes())
    records = llm.ask_many([{"image": str(picture), "question": q} for q in "QR"], max_tokens=4, isolate=True)
    first = next(records)
    picture.unlink()
    assert [first["status"], next(records)["status"]] == ["ok", "ok"]


def test_the_folder_may_change_meanwhile(tiny, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models")
    pair = [shutil.copy(path, name) for path, name in zip(tiny, ("a.gguf", "b.gguf"), strict=True)]
    with LlavaNext(*pair, **OPTIONS) as llm:
        monkeypatch.chdir(tmp_path)
        task = {"image": str(photo()), "question": "Q"}
        assert next(llm.ask_many([task], isolate=True, max_tokens=2))["status"] == "ok"


# What ends a worker


@pytest.mark.slow
def test_each_way_to_die_is_one_tasks_record(ask, children, tmp_path):
    questions = ["a", "SIGSEGV", "b", "SIGKILL", "abort", "SIGILL", "c"]
    records = ask(questions, output=tmp_path / "o.jsonl")
    again = "; the task was tried 2 times"
    killed = " by somebody, or by the system because memory ran out"
    assert told(records) == [
        ("ok", None),
        ("crashed", f"the worker process died (SIGSEGV){again}"),
        ("ok", None),
        ("crashed", f"the worker process died (SIGKILL){killed}{again}"),
        ("crashed", f"the worker process ran out of memory{again}"),
        ("crashed", f"the worker process died (SIGILL){again}"),
        ("ok", None),
    ]
    assert {r["error"]["type"] for r in records if r["error"]} == {"CrashError"}
    assert read(tmp_path / "o.jsonl") == records
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]
    assert len(children) == 9
    asked = []
    ask(questions, output=tmp_path / "o.jsonl", on_progress=lambda p: p.task and asked.append(p.task))
    assert asked == []


def test_a_task_that_dies_once_is_asked_again(ask, tmp_path):
    (record,) = ask([f"once {tmp_path / 'mark'}"])
    assert record["status"] == "ok"


def test_without_a_file_too(ask):
    assert [status for status, _ in told(ask(["SIGSEGV", "a"]))] == ["crashed", "ok"]


@pytest.mark.slow
def test_memory(ask):
    limit = 400 << 20
    big = {"image": Image.new("RGB", (7000, 7000)), "question": "Q"}
    (plain, found, after) = ask(["a", "starve", "b"], options={"memory_limit": limit})
    assert (plain["status"], after["status"]) == ("ok", "ok")
    assert told([found]) == [
        (
            "crashed",
            "the worker process ran out of memory (memory limit: 0.391 GiB); the task was tried 2 times",
        )
    ]
    first, second = ask([big, "a"], options={"memory_limit": limit})
    assert ("ran out of memory" in first["error"]["message"], second["status"]) == (True, "ok")


@pytest.mark.slow
def test_a_hang(ask, children):
    started = time.monotonic()
    records = ask(["a", "hang 1000", "b"], options={"task_timeout": 2.0})
    assert told(records) == [
        ("ok", None),
        (
            "crashed",
            "the worker process took longer than 2 s, the limit (--task-timeout sets it), and was ended",
        ),
        ("ok", None),
    ]
    assert len(children) == 2
    assert time.monotonic() - started < 30


@pytest.mark.slow
def test_a_crash_before_counts(ask, tmp_path):
    """One attempt is the earlier process's, so one is left."""
    output = tmp_path / "o.jsonl"

    def stop(progress):
        if progress.task is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(["SIGSEGV"], output=output, on_progress=stop)
    key = ask(["SIGSEGV"])[0]["key"]
    output.with_name("o.jsonl.journal").write_text(json.dumps({"attempt": key}) + "\n")
    asked = []
    (record,) = ask(["SIGSEGV"], output=output, on_progress=lambda p: p.task and asked.append(p.task.id))
    assert (record["status"], asked) == ("crashed", [1])


def test_an_interrupt_ends_at_once_and_leaves_nothing(ask, children, tmp_path):
    output = tmp_path / "o.jsonl"
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def note(progress):
        if progress.task is not None and progress.done == 1:
            threading.Timer(0.3, interrupt).start()

    with pytest.raises(KeyboardInterrupt):
        ask(["a", "hang 1000"], output=output, on_progress=note)
    assert time.monotonic() - sent[0] < 1
    assert children[-1]._process.poll() == -signal.SIGKILL
    journal = read(tmp_path / "o.jsonl.journal")
    assert [line["attempt"] for line in journal] == [record["key"] for record in read(output)]
    assert len(journal) == 1


# Loading


def test_an_error_of_loading_is_the_callers(tiny, ask, tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUFjunk")
    with pytest.raises(ModelFormatError, match=r"bad\.gguf"):
        ask(["a"], opening=partial(LlavaNext, bad, tiny[1]), output=tmp_path / "o.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


@pytest.mark.slow
def test_a_model_that_no_worker_survives_loading_ends_the_run(tiny, ask, children, tmp_path):
    with pytest.raises(CrashError, match=r"loading the model: .* died \(SIGKILL\).*, 3 times"):
        ask(["a"], opening=partial(never_loads, ""), output=tmp_path / "o.jsonl")
    assert len(children) == 3
    assert not list(tmp_path.iterdir())
    opening = partial(never_loads, str(tmp_path / "mark"), model=tiny[0], mmproj=tiny[1], **OPTIONS)
    opening = partial(opening)
    assert ask(["a"], opening=opening, output=tmp_path / "o.jsonl")[0]["status"] == "ok"


def test_no_model_is_waited_for_where_nothing_is_asked(ask, children, tmp_path):
    ask(["a"], output=tmp_path / "o.jsonl")
    started = time.monotonic()
    ask(["a", {}], output=tmp_path / "o.jsonl", opening=partial(never_loads, ""))
    assert time.monotonic() - started < 5


def test_a_closed_model_ends_the_run(tiny):
    llm = LlavaNext(*tiny, **OPTIONS)
    llm.close()
    with pytest.raises(ClosedError):
        llm.ask_many([], isolate=True)


# Random moments


@pytest.fixture
def impatient(monkeypatch):
    """A worker that hangs while it loads is not waited for for ten minutes."""
    for name, value in {"LEAST": 4.0, "FACTOR": 2}.items():
        monkeypatch.setattr(patience, name, value)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_200_tasks_with_random_kills_stops_and_starvation(tiny, ask, children, tmp_path):
    """A worker is hit so often, whatever it does: loading, waiting or answering."""
    chance, timers = random.Random(1), []
    blows = dict(zip(chance.sample(range(1, 200), 12), [kill, stop, starve] * 4, strict=True))
    plan = [(name, question) for question in range(50) for name in NAMES[:4]]
    tasks = [{"id": i, "image": str(photo(n)), "question": f"Q{q}"} for i, (n, q) in enumerate(plan)]

    def hit(blow):
        if children[-1]._process.poll() is None:
            blow(children[-1].pid)

    def note(progress):
        if progress.task is not None and (blow := blows.pop(progress.done, None)):
            timers.append(threading.Timer(chance.choice([0, 0.002, 0.01, 0.5]), hit, (blow,)))
            timers[-1].start()

    output = tmp_path / "o.jsonl"
    options = {"options": {"task_timeout": 2.0}, "output": output, "on_progress": note}
    records = ask(tasks, opening=partial(LlavaNext, *tiny, **OPTIONS), **options)
    for timer in timers:
        timer.join()
    assert [record["id"] for record in records] == list(range(200))
    assert read(output) == records
    assert len({record["key"] for record in records}) == 200
    assert not blows
    assert len(children) > 4  # two blows may hit one worker
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]
    found = Counter(record["status"] for record in records)
    assert found["ok"] + found["crashed"] == 200
    assert 0 < found["crashed"] <= 12
    assert children[-1]._process.poll() is not None


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


def starve(pid):
    import resource  # noqa: PLC0415

    resource.prlimit(pid, resource.RLIMIT_DATA, (1 << 20, 1 << 20))
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task_timeout": 5}, r"task_timeout is the worker process's: it needs isolate=True"),
        ({"memory_limit": 1 << 30}, r"memory_limit is the worker process's"),
        ({"isolate": True, "task_timeout": 0}, r"task_timeout is 0; allowed: a number above 0"),
        ({"isolate": True, "task_timeout": float("nan")}, r"task_timeout is nan"),
        ({"isolate": True, "memory_limit": "2G"}, r"memory_limit is '2G'"),
        ({"isolate": True, "memory_limit": True}, r"memory_limit is True"),
    ],
)
def test_bad_options(llm, options, said):
    with pytest.raises(InputError, match=said):
        llm.ask_many([], **options)


def test_patience():
    own = Patience(7.0)
    assert own.limit(4) == 7.0
    derived = Patience(None)
    assert (derived.limit(4), derived.loading_limit()) == (3600.0, None)
    derived.note(2.0, 4)
    assert derived.limit(4) == 600.0
    derived.note(50.0, 8)
    derived.note(1.0, 8)
    assert (derived.limit(8), derived.limit(2), derived.limit(80)) == (1000.0, 1000.0, 10000.0)
    derived.note_loading(3.0)
    assert derived.loading_limit() == 600.0
