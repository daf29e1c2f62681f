"""The answers of a run without an output file."""

from __future__ import annotations

from collections.abc import Sequence

from .record import Record
from .task import Task


class Memory:
    """Keeps records until they are read, once. The interface is that of `Store`."""

    resumed = False

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}

    def start(
        self, tasks: Sequence[Task], keys: list[str | None], *, in_order: bool, retry_errors: bool
    ) -> None:
        """Begin. Nothing was there before."""

    def has(self, key: str) -> bool:
        """No task was done before."""
        return False

    def died(self, key: str) -> bool:
        """Nothing is known of earlier runs."""
        return False

    def begin(self, key: str) -> None:
        """Nothing to note."""

    def drop(self, key: str) -> None:
        """Nothing to note."""

    def add(self, index: int, record: Record) -> None:
        """Keep a record."""
        self._records[index] = record

    def read(self, index: int) -> Record:
        """Hand a record out."""
        return self._records.pop(index)

    def finish(self) -> None:
        """Nothing to bring in order."""
