"""Tasks from CSV as spreadsheets write it: commas, semicolons or tabs, and Excel's ``sep=`` line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import InputError
from .task import FIELDS
from .text_lines import MAX_LINE

DELIMITERS = (",", ";", "\t", "|")
NEEDED = ("image", "question")


def csv_tasks(text: str, name: str) -> Iterator[dict[str, Any]]:
    """A task for each row that is not empty. Raises InputError, naming file and line."""
    said = re.match(r'"?sep=(.)"?[\r\n]+', text)  # for Excel alone; line numbers go on counting it
    skipped = said[0].count("\n") if said else 0
    body = text[said.end() :] if said else text
    delimiter = said[1] if said else _delimiter(body)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    try:
        with _long_cells():
            columns = _columns(next(reader, []), f"{name}, line {skipped + 1}")
            for row in reader:
                if any(cell.strip() for cell in row[len(columns) :]):
                    where = f"{name}, line {skipped + reader.line_num}"
                    raise InputError(f"{where} has more cells than the header")
                if any(cell.strip() for cell in row):
                    named = dict(zip(columns, row, strict=False))
                    yield _task(named, decimal_comma=delimiter == ";")
    except csv.Error as error:
        raise InputError(f"{name}, line {skipped + reader.line_num} is not CSV: {error}") from None


def _delimiter(text: str) -> str:
    """What the header's columns are separated by; a comma where it is none of DELIMITERS."""
    header = next(iter(io.StringIO(text, newline="")), "")
    for delimiter in DELIMITERS:
        if set(NEEDED) <= {_known(cell) for cell in next(csv.reader([header], delimiter=delimiter), [])}:
            return delimiter
    return ","


def _columns(header: list[str], where: str) -> list[str]:
    columns = [_known(cell) for cell in header]
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        raise InputError(f"{where}: no column {' and no '.join(missing)}; found: {columns}")
    if twice := [field for field in FIELDS if columns.count(field) > 1]:
        raise InputError(f"{where}: the column {twice[0]} is there twice")
    return columns


def _known(cell: str) -> str:
    """The name of a column: a task's field, however it is written, or what it says."""
    name = cell.strip()
    return name.lower() if name.lower() in FIELDS else name


def _task(row: dict[str, str], *, decimal_comma: bool) -> dict[str, Any]:
    numbers = {key: _number(row.get(key), decimal_comma) for key in ("budget", "max_tokens")}
    return {**row, **numbers}


def _number(text: str | None, decimal_comma: bool) -> Any:
    """What a cell says: 640 is an int, 0.2 a float, anything else stays text."""
    plain = (text or "").replace(",", ".") if decimal_comma else text or ""
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return text


@contextmanager
def _long_cells() -> Iterator[None]:
    """Pictures may stand in cells, as data: URLs. The limit is the whole process's."""
    before = csv.field_size_limit(MAX_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)
