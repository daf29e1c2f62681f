"""The order that the records of a run must get in the output, and how they get it."""

from __future__ import annotations

from collections.abc import Sequence

from .memory_store import MOST_ATTEMPTS
from .record import Record, with_labels
from .record_files import RecordFiles, label_of
from .task import Task


class RecordOrder:
    """The `Keeper` of a run with an output file.

    A record that is next in order goes to the output at once, any other to the journal until its turn.
    Records of tasks that the run does not know stay, before all others. If appending cannot give that order,
    because tasks came in between or failed ones are asked again, `finish` replaces the output as a whole.

    Raises OSError.
    """

    def __init__(
        self,
        files: RecordFiles,
        tasks: Sequence[Task],
        keys: Sequence[str | None],
        *,
        in_order: bool,
        retry_errors: bool,
    ) -> None:
        self._files, self._tasks, self._keys, self._in_order = files, tasks, list(keys), in_order
        mine = {key for key in keys if key is not None}
        self._retry = self._forget_failed(mine) if retry_errors else set()
        written = files.written
        foreign = next((i for i, key in enumerate(written) if key in mine), len(written))
        ours = written[foreign:]
        self._appends = ours == self._keys[: len(ours)] and all(map(self._is_final, range(len(ours))))
        self._next = len(ours) if self._appends else 0
        self._renamed = any(not self._is_named(i) for i, key in enumerate(keys) if key in files.entries)
        self._promote()

    def _forget_failed(self, mine: set[str]) -> set[str]:
        """The keys whose tasks are asked again; what happened to them before does not count."""
        failed = {key for key, entry in self._files.entries.items() if entry.failed and key in mine}
        self._files.journal.retry(failed - self._files.journal.retried)
        return failed

    def _is_final(self, index: int) -> bool:
        key = self._keys[index] or ""
        return not self._files.entries[key].waits and key not in self._retry and self._is_named(index)

    def _is_named(self, index: int) -> bool:
        task = self._tasks[index]
        return self._files.entries[self._keys[index] or ""].label == label_of(task.id, task.image_label)

    def has(self, key: str) -> bool:
        """Whether a task needs no more work."""
        return key in self._files.entries and key not in self._retry

    def died(self, key: str) -> bool:
        """Whether a process ended in a task as often as is allowed."""
        return self._files.journal.attempts[key] >= MOST_ATTEMPTS

    def begin(self, key: str) -> None:
        """Note that a task is about to be asked."""
        self._files.journal.begin(key)

    def settle(self) -> None:
        """Wait until what was begun is on the disk."""
        self._files.journal.settle()

    def drop(self, key: str) -> None:
        """Take back that a task was begun last, unless it has a record: it will be asked again."""
        self._files.journal.drop(key)

    def add(self, index: int, record: Record) -> None:
        """Keep the record of a task. It is on the disk when this returns."""
        key = self._keys[index] = record["key"]
        is_next = not self._in_order or (self._appends and index == self._next)
        if is_next and key not in self._files.entries:
            self._files.append(record)
            self._next += 1
        else:
            self._files.postpone(record)
        self._retry.discard(key)
        self._promote()

    def _promote(self) -> None:
        """Let the records whose turn has come go from the journal to the output."""
        while self._in_order and self._appends and self._next < len(self._keys):
            key = self._keys[self._next]
            if key is None or not self.has(key):
                break
            self._files.append(self.read(self._next))
            self._next += 1

    def read(self, index: int) -> Record:
        """The record of a task that `has` one, with the task's own id and image name."""
        return with_labels(self._files.read(self._keys[index] or ""), self._tasks[index])

    def finish(self) -> None:
        """All tasks have records: bring the output in order, and delete the journal."""
        if self._in_order:
            final = self._appends and self._next == len(self._keys)
        else:
            final = not self._renamed and not any(entry.waits for entry in self._files.entries.values())
        if not final:
            self._rewrite()
        self._files.journal.remove()

    def _rewrite(self) -> None:
        index_of = {key: index for index, key in enumerate(self._keys) if key}
        entries = self._files.entries
        others = [key for key in entries if key not in index_of]
        order = [*others, *index_of] if self._in_order else list(entries)
        self._files.replace_output(
            self.read(index_of[key]) if key in index_of else self._files.read(key) for key in order
        )
