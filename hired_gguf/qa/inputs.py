"""Where tasks come from: pictures and questions, a JSON Lines or CSV file, standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError
from ..files import given_path
from ..images.find import find_pictures, once
from .csv_tasks import csv_tasks
from .json_tasks import json_tasks
from .text_lines import numbered_lines

Fields = dict[str, Any]

JSON_LINES = (".jsonl", ".ndjson", ".json")
TABLES = (".csv", ".tsv")


def every_question(images: Iterable[str], questions: Sequence[str]) -> list[Fields]:
    """Every question about every picture, picture by picture. Raises InputError where there is none."""
    found = once(path for image in images for path in find_pictures(image))
    return [{"image": path, "question": question} for path in found for question in questions]


def read_tasks(source: str) -> list[Fields]:
    """The tasks of a file, or of standard input if ``source`` is "-".

    A name that ends in one of TABLES is CSV with a header line, in one of JSON_LINES is JSON; where the name
    does not say it, a first character "{" or "[" does. Raises InputError, naming file and line, for a file
    that is neither; what is in a task is looked at later.
    """
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError(
                "'-' reads tasks from standard input, but standard input is a terminal or closed: "
                "pipe a file into it"
            )
        return _parse(sys.stdin.buffer, "standard input", "")
    try:
        path = Path(given_path(source))
        with path.open("rb") as file:
            return _parse(file, repr(source), path.suffix.lower())
    except OSError as error:
        raise InputError(f"{source!r} cannot be read: {error.strerror}") from None


def _parse(file: BinaryIO, name: str, suffix: str) -> list[Fields]:
    lines = list(numbered_lines(file, name))
    first = next((line.lstrip()[:1] for _, line in lines if line.strip()), "")
    if suffix in JSON_LINES or (suffix not in TABLES and first in ("{", "[")):
        tasks = json_tasks(lines, name)
    else:
        tasks = list(csv_tasks("".join(line for _, line in lines), name))
    if not tasks:
        raise InputError(f"{name} holds no tasks")
    return tasks
