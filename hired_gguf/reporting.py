"""What commands report with: tables, reports of them, JSON documents; and whether charts can be drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import HiredError

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column is aligned to the left, the others to the right."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_text(self) -> str:
        """For a terminal; indented under its title, if it has one."""
        lines = columns([self.header, *self.rows])
        return "\n".join([self.title, *(f"  {line}" for line in lines)] if self.title else lines)

    def as_markdown(self) -> str:
        """For a document."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        lines = ["| " + " | ".join(row) + " |" for row in (self.header, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines; the first column is aligned to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]).rstrip() for row in rows]


@dataclass(frozen=True)
class Report:
    """What a command line gave: tables, and what to know for reading them."""

    command: str
    tables: Sequence[Table]
    remarks: Sequence[str]

    def as_text(self) -> str:
        """For a terminal."""
        return "\n\n".join([*(table.as_text() for table in self.tables), *self.remarks])

    def as_markdown(self) -> str:
        """For a document."""
        parts = [f"`{self.command}`", *(table.as_markdown() for table in self.tables), *self.remarks]
        return "\n\n".join(parts) + "\n"


def as_json(document: Document, records: str) -> str:
    """A document as JSON. The list that ``records`` names comes last, each of its items on one line.

    What is no Unicode, as some files' names are not, is escaped.
    """
    head = json.dumps({k: v for k, v in document.items() if k != records}, indent=1, ensure_ascii=False)
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in document[records])
    text = f'{head.removesuffix("}").rstrip()},\n "{records}": [\n{lines}\n]\n}}\n'
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def require_matplotlib() -> None:
    """Raise HiredError, with the remedy, if there is none."""
    try:
        import matplotlib  # noqa: F401, PLC0415  only charts need it
    except ImportError as error:
        raise HiredError(f"a chart needs matplotlib ({error}): pip install 'matplotlib>=3.8'") from error
