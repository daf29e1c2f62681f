"""Files of tasks for an evaluation."""

from __future__ import annotations

import json

from command_line import COFFEE, ROCKET

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
    """Write a file of JSON lines; a string is a line as it is."""
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path
