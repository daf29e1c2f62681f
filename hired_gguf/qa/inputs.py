"""Where tasks come from: pictures and questions, a JSON Lines or CSV file, standard input."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError
from ..files import given_path
from ..images.find import find_pictures, once

Fields = dict[str, Any]

JSON_LINES = (".jsonl", ".ndjson", ".json")
MAX_LINE = 64 << 20


def every_question(images: Iterable[str], questions: Sequence[str]) -> list[Fields]:
    """Every question about every picture, picture by picture. Raises InputError where there is none."""
    found = once(path for image in images for path in find_pictures(image))
    return [{"image": path, "question": question} for path in found for question in questions]


def read_tasks(source: str) -> list[Fields]:
    """The tasks of a file, or of standard input if ``source`` is "-".

    A name that ends in .csv is CSV with a header line, one of JSON_LINES is an object a line; where the name
    does not say it, a first character "{" does. Raises InputError, naming file and line, for a file that is
    neither; what is in a task is looked at later.
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
    if suffix in JSON_LINES or (suffix != ".csv" and first in ("{", "[")):
        tasks = [json_object(line, f"{name}, line {number}") for number, line in lines if line.strip()]
    else:
        tasks = list(_rows("".join(line for _, line in lines), name))
    if not tasks:
        raise InputError(f"{name} holds no tasks")
    return tasks


def numbered_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file and their numbers from 1. Raises InputError, naming file and line."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise InputError(f"{name}, line {number} is longer than {MAX_LINE} bytes")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{name}, line {number} is not UTF-8: {error.reason}") from None


def json_object(line: str, where: str) -> Fields:
    """The JSON object of a line. Raises InputError, naming where it stands."""
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where} is a JSON {type(value).__name__}; needed is one object a line")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _rows(text: str, name: str) -> Iterator[Fields]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))  # 131072 is less than a data: URL
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [column.strip() for column in reader.fieldnames or []]
        missing = [column for column in ("image", "question") if column not in columns]
        if missing:
            raise InputError(f"{name}, line 1: no column {' and no '.join(missing)}; found: {columns}")
        reader.fieldnames = columns
        for row in reader:
            if None in row:
                raise InputError(f"{name}, line {reader.line_num} has more cells than the header")
            yield {**row, **{key: _number(row.get(key)) for key in ("budget", "max_tokens")}}
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.reader.line_num} is not CSV: {error}") from None


def _number(text: str | None) -> Any:
    """What a cell says: 640 is an int, 0.2 a float, anything else stays text."""
    for kind in (int, float):
        try:
            return kind(text or "")
        except ValueError:
            continue
    return text
