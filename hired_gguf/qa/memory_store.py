"""What keeps the records of a run, said once for both kinds; and the kind that keeps them in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from ..closing import Closing
from .record import Record
from .task import Task

MOST_ATTEMPTS = 2


class Keeper(Protocol):
    """Takes the records of a run's tasks, and knows what is left to do. May raise OSError."""

    def has(self, key: str) -> bool:
        """Whether a task needs no more work."""
        ...

    def died(self, key: str) -> bool:
        """Whether a process ended in a task as often as is allowed."""
        ...

    def begin(self, key: str) -> None:
        """Note that a task is about to be asked."""
        ...

    def settle(self) -> None:
        """Wait until what was begun is on the disk."""
        ...

    def drop(self, key: str) -> None:
        """Take back that a task was begun last, unless it has a record: it will be asked again."""
        ...

    def add(self, index: int, record: Record) -> None:
        """Keep the record of a task."""
        ...

    def read(self, index: int) -> Record:
        """The record of a task that has one, with the task's own id and image name."""
        ...

    def finish(self) -> None:
        """All tasks have records: bring them in order."""
        ...


class RecordStore(Protocol):
    """Where records are kept: a file (`Store`) or `Memory`. Open until the end of a ``with`` block."""

    @property
    def resumed(self) -> bool:
        """Whether there are records from before."""
        ...

    def start(
        self, tasks: Sequence[Task], keys: Sequence[str | None], *, in_order: bool, retry_errors: bool
    ) -> Keeper:
        """Begin a run. If `resumed`, every key must be known; else `Keeper.add` learns them from records."""
        ...

    def __enter__(self) -> RecordStore: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Memory(Closing):
    """A `RecordStore` that knows of no earlier run, and its `Keeper`: a record is read once."""

    resumed = False

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._attempts: Counter[str] = Counter()

    def start(
        self, tasks: Sequence[Task], keys: Sequence[str | None], *, in_order: bool, retry_errors: bool
    ) -> Memory:
        """Begin. Nothing was there before."""
        return self

    def has(self, key: str) -> bool:
        """No task was done before."""
        return False

    def died(self, key: str) -> bool:
        """Whether a worker process ended in a task as often as is allowed."""
        return self._attempts[key] >= MOST_ATTEMPTS

    def begin(self, key: str) -> None:
        """Note that a task is about to be asked."""
        self._attempts[key] += 1

    def settle(self) -> None:
        """Nothing goes to the disk."""

    def drop(self, key: str) -> None:
        """There is no next run to know of it."""

    def add(self, index: int, record: Record) -> None:
        """Keep a record."""
        del self._attempts[record["key"]]
        self._records[index] = record

    def read(self, index: int) -> Record:
        """Hand a record out."""
        return self._records.pop(index)

    def finish(self) -> None:
        """Nothing to bring in order."""

    def close(self) -> None:
        """Nothing to give back."""
