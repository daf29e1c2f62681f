"""Runs that die. One process loads the model, and each run is a child of it: a copy, so it starts at once.

`python qa_driver.py '{"pair": ..., "tasks": ..., "folder": ..., "work": "kill" or "die", ...}'`
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from hired_gguf import LlavaNext

OPTIONS = {"max_tokens": 6}


def fork(work):
    """The process id of a child that does the work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def answer(llm, tasks, output, **options):
    for _ in llm.ask_many(tasks, output=output, **OPTIONS, **options):
        pass


def lines(path):
    """The whole lines of a file as objects."""
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def begun(output):
    """Tasks that were begun and not finished, and the number of records."""
    journal = lines(output.with_name(output.name + ".journal"))
    done = {record["key"] for record in lines(output)} | {
        x["record"]["key"] for x in journal if "record" in x
    }
    return {x["attempt"] for x in journal if "attempt" in x} - done, len(done)


def kill(llm, tasks, folder, kills, seed):
    """Kill children at random moments until it was done so often; start over when a run is through.

    A task that is killed twice is called crashed, as it should be. So after a kill within a task the next
    one waits for its record.
    """
    chance, landed, within, number = random.Random(seed), 0, 0, 0
    started = time.monotonic()
    assert status(fork(lambda: answer(llm, tasks, folder / "whole.jsonl"))) == 0
    whole = time.monotonic() - started
    while landed < kills:
        output = folder / f"run-{number}.jsonl"
        unfinished, records = begun(output)
        child = fork(lambda path=output: answer(llm, tasks, path))
        while unfinished and begun(output)[1] == records and os.waitid(os.P_PID, child, FLAGS) is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, whole / 4))
        os.kill(child, signal.SIGKILL)
        if status(child) == 0:
            number += 1
        else:
            landed += 1
            within += bool(begun(output)[0])
    assert status(fork(lambda: answer(llm, tasks, output))) == 0
    print(json.dumps({"kills": landed, "within_tasks": within, "runs": number + 1}))


FLAGS = os.WEXITED | os.WNOHANG | os.WNOWAIT


def die(llm, tasks, folder, at, times):
    """Let children end in the middle of a task, without a word."""

    def fatal(progress):
        if progress.task is not None and progress.task.id == at:
            os._exit(9)

    output = folder / "deaths.jsonl"
    codes = [status(fork(lambda: answer(llm, tasks, output, on_progress=fatal))) for _ in range(times)]
    print(json.dumps({"codes": codes}))


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    work = {"kill": kill, "die": die}[plan.pop("work")]
    folder = Path(plan.pop("folder"))
    with LlavaNext(*plan.pop("pair"), n_ctx=1024, n_threads=1) as llm:
        work(llm, plan.pop("tasks"), folder, **plan)
