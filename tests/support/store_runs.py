"""Six tasks, and runs over them that store records without a model."""

from __future__ import annotations

import json

from hired_gguf.qa.asking import Outcome, failure
from hired_gguf.qa.record import make_record
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.store import Store
from hired_gguf.qa.task import make_tasks

SETTINGS = QaSettings("model", "mmproj")
TASKS = make_tasks({"image": f"{n}.png", "question": f"question {n}"} for n in range(6))
KEYS = [f"{n:032x}" for n in range(6)]


def record(index, task=None, error=None):
    """The record of a task."""
    return make_record(KEYS[index], task or TASKS[index], SETTINGS, failure(error) if error else Outcome())


def ids(path):
    """Those of the records in a file."""
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def names(folder):
    """Those of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def run(path, order=range(6), *, tasks=TASKS, keys=KEYS, finish=True, errors=(), known=None, **options):
    """Do what `run_batch` does, in this order of work. The tasks that were asked."""
    opening = {"force": options.pop("force", False)}
    asked = []
    with Store(path, options.pop("settings", SETTINGS), **opening) as store:
        options = {"in_order": True, "retry_errors": False, **options}
        kept = store.start(tasks, list(keys), **options)
        for index in order:
            if not kept.has(keys[index]):
                kept.begin(keys[index])
                outcome = failure(ValueError("no")) if index in errors else Outcome()
                kept.add(index, make_record(keys[index], tasks[index], SETTINGS, outcome))
                asked.append(index)
        if finish:
            kept.finish()
    return asked
