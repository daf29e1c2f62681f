"""Runs that are killed, crash, or are interrupted: what the next start makes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from golden_pair import NAMES, photo
from paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kill -9, fork and signals of POSIX"),
]

DRIVER = ROOT / "tests" / "support" / "qa_driver.py"
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "hired-gguf")
SLOW = pytest.mark.slow
VARYING = ("timings", "reuse")
QUESTIONS = [f"What is number {number}?" for number in range(10)]
FORTY = [  # question by question, so that most records have to wait for their turn
    {"id": f"{name} {number}", "image": str(photo(name)), "question": question}
    for number, question in enumerate(QUESTIONS)
    for name in NAMES
]


def records(path):
    """What a file says, but for what it cost."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in record.items() if name not in VARYING} for record in found]


def drive(tiny, folder, tasks, **plan):
    plan = {"pair": [str(path) for path in tiny], "tasks": tasks, "folder": str(folder), **plan}
    done = subprocess.run(
        [sys.executable, str(DRIVER), json.dumps(plan)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@SLOW
def test_killed_at_50_random_moments(tiny, tmp_path):
    done = drive(tiny, tmp_path, FORTY, work="kill", kills=50, seed=5)
    expected = records(tmp_path / "whole.jsonl")
    assert [record["id"] for record in expected] == [task["id"] for task in FORTY]
    assert {record["status"] for record in expected} == {"ok"}
    assert done["kills"] == 50
    assert done["within_tasks"] > 10
    for number in range(done["runs"]):
        assert records(tmp_path / f"run-{number}.jsonl") == expected
    assert not list(tmp_path.glob("*.journal"))


def test_a_task_that_ends_the_process_is_given_up_the_second_time(tiny, tmp_path):
    assert drive(tiny, tmp_path, FORTY[:6], work="die", at=FORTY[2]["id"], times=4) == {"codes": [9, 9, 0, 0]}
    found = records(tmp_path / "deaths.jsonl")
    assert [record["id"] for record in found] == [task["id"] for task in FORTY[:6]]
    assert [record["status"] for record in found] == ["ok", "ok", "crashed", "ok", "ok", "ok"]
    assert found[2]["error"] == {
        "type": "CrashError",
        "message": "the process ended 2 times during this task",
    }
    assert found[2]["answer"] is None


def test_a_crashed_task_gets_another_chance(tiny, llm, tmp_path):
    drive(tiny, tmp_path, FORTY[:3], work="die", at=FORTY[0]["id"], times=3)
    output = tmp_path / "deaths.jsonl"
    list(llm.ask_many(FORTY[:3], output=output, max_tokens=6, budget=0.2))
    assert [record["status"] for record in records(output)] == ["crashed", "ok", "ok"]
    list(llm.ask_many(FORTY[:3], output=output, max_tokens=6, budget=0.2, retry_errors=True))
    assert [record["status"] for record in records(output)] == ["ok"] * 3


# The command


@pytest.fixture
def command(tiny, tmp_path):
    """Starts the command on two pictures and two questions, whose answers take their time."""
    started = []

    def start(output):
        images = [str(photo(name)) for name in NAMES[:2]]
        asked = ("--question", "What?", "--question", "Who?", "--output", str(output))
        pair = ("--model", str(tiny[0]), "--mmproj", str(tiny[1]))
        size = ("--max-tokens", "700", "--n-ctx", "1024", "--threads", "1")
        started.append(
            subprocess.Popen(
                [SCRIPT, "qa", "--images", *images, *asked, *pair, *size],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until_begun(process, output, attempts):
    """Wait until so many tasks were begun."""
    journal = output.with_name(output.name + ".journal")
    while not journal.exists() or journal.read_bytes().count(b'{"attempt"') < attempts:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@SLOW
def test_the_command_goes_on_after_kill_9(command, tmp_path):
    whole, output = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    assert command(whole).wait() == 0
    for attempts in (1, 3):
        process = command(output)
        until_begun(process, output, attempts)
        process.kill()
        process.wait()
    assert command(output).wait() == 0
    assert records(output) == records(whole)
    assert len(records(whole)) == 4


@pytest.mark.parametrize(
    "name", ["SIGINT", pytest.param("SIGTERM", marks=SLOW), pytest.param("SIGHUP", marks=SLOW)]
)
def test_a_signal_drops_the_task(command, tmp_path, name):
    output = tmp_path / "interrupted.jsonl"
    process = command(output)
    until_begun(process, output, 2)
    process.send_signal(getattr(signal, name))
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"interrupted; the same command goes on with interrupted.jsonl" in err
    assert b"Traceback" not in err
    journal = [json.loads(line) for line in Path(f"{output}.journal").read_text().splitlines()]
    done = {record["key"] for record in records(output)}
    assert len(done) in (1, 2)  # the second task may have ended before the signal came
    assert {key for line in journal for key in line.values()} <= done  # no attempt is left


@SLOW
def test_two_runs_refuse_each_other(command, tmp_path):
    output = tmp_path / "shared.jsonl"
    first = command(output)
    until_begun(first, output, 1)
    second = command(output)
    _, err = second.communicate()
    assert second.returncode == 2
    assert b"shared.jsonl is being written by another run" in err
    assert first.wait() == 0
    assert len(records(output)) == 4
