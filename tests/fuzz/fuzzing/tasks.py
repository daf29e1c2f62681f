"""Task files: any bytes as JSON Lines, as CSV, and as a file whose name does not say what it is."""

from __future__ import annotations

import random

from hired_gguf.errors import HiredError, InputError
from hired_gguf.qa.inputs import read_tasks
from hired_gguf.qa.pictures import group_by_image
from hired_gguf.qa.task import identity, make_tasks

from . import json_values
from .target import Target, scratch

WORDS = (
    *(
        "image",
        "question",
        "id",
        "budget",
        "max_tokens",
        "schema",
        "type",
        "object",
        "properties",
        "enum",
        "a.png",
    ),
    *("string", "integer", "array", "items", "$ref", "#", "const", "pattern", "anyOf", "required"),
)
FOLDER = scratch()


def run(data: bytes) -> None:
    """Each task is one that can be asked, or holds a typed error; each stands in exactly one group."""
    refused = None
    for suffix in (".jsonl", ".csv", ""):
        path = FOLDER / f"tasks{suffix}"
        path.write_bytes(data)
        try:
            tasks = make_tasks(read_tasks(str(path)))
        except InputError as error:
            refused = error
            continue
        assert tasks
        assert all(task.error is None or isinstance(task.error, HiredError) for task in tasks)
        assert sorted(index for group in group_by_image(tasks) for index in group) == list(range(len(tasks)))
        assert all(identity(task) and (task.image_label or "x") for task in tasks if task.error is None)
    if refused is not None:
        raise refused


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Another file: each line that is JSON may change."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = json_values.mutated(lines[at], WORDS, rng)
    return b"\n".join(lines)


TARGET = Target("tasks", run, (InputError,), max_length=4096, megabytes=64, words=WORDS, mutate=mutate)
