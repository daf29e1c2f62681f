"""The answers of a run in a file, complete and in order in the end, whatever happens on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..closing import Closing
from ..errors import OutputError
from .journal import Journal
from .lines_file import LinesFile, Place, replace_file
from .record import FIRST_FIELD, Record, as_line, has_failed, is_record, with_labels
from .settings import QaSettings
from .task import Task

MOST_ATTEMPTS = 2


class Entry(NamedTuple):
    """Where a record is: in the output or in the journal."""

    waits: bool
    place: Place
    failed: bool
    label: int


class Store(Closing):
    """An output file and its journal, for one run at a time.

    A record that is next in order goes to the output at once, any other to the journal until its turn. What
    the journal says of a task is newer than what the output says. Records of tasks that the run does not
    know stay, before all others. If appending cannot give that order, because tasks came in between or
    failed ones are asked again, the output is replaced as a whole at the end.

    Raises OutputError if another run has the file, if it holds something else than records, or if the latest
    was made with other settings and not ``force``; OSError.
    """

    def __init__(self, path: str | os.PathLike[str], settings: QaSettings, *, force: bool = False) -> None:
        self.path = Path(os.path.realpath(path))
        require_file(self.path)
        self._entries: dict[str, Entry] = {}
        self._written: list[str] = []  # the output's lines, by key
        self._retry: set[str] = set()
        self._next = 0
        self._in_order = self._appends = True
        self._renamed = False  # whether a task has another id or image name than its record
        self._tasks: Sequence[Task] = ()
        self._keys: list[str | None] = []
        self._journal = Journal(self.path)
        try:
            self._output = LinesFile(self.path, (FIRST_FIELD,))
            latest = self._load()
            if latest and not force and (found := settings.differences(latest)):
                raise OutputError(
                    f"{self.path} was made with other settings: {'; '.join(found)}. "
                    "Name another file, or answer everything anew behind what is there (--force)"
                )
        except BaseException:
            self.close()
            raise

    def _load(self) -> Record | None:
        latest = None
        for place, record in self._output.scan():
            if not is_record(record):
                raise OutputError(f"{self.path} holds something else than records of hired-gguf qa")
            self._entries[record["key"]] = _entry(False, place, record)
            self._written.append(record["key"])
            latest = record
        for place, record in self._journal.scan():
            latest, key = record, record["key"]
            old = self._entries.get(key)
            if old is None or old.waits or self._output.read(old.place) != as_line(record):
                self._entries[key] = _entry(True, place, record)
        return latest

    @property
    def resumed(self) -> bool:
        """Whether there are records from before."""
        return bool(self._entries)

    def start(
        self, tasks: Sequence[Task], keys: list[str | None], *, in_order: bool, retry_errors: bool
    ) -> None:
        """Take the tasks and their keys, which `resumed` needs to be known and otherwise may come later."""
        self._tasks, self._keys, self._in_order = tasks, keys, in_order
        mine = {key for key in keys if key is not None}
        if retry_errors:
            self._retry = {key for key, entry in self._entries.items() if entry.failed and key in mine}
            self._journal.retry(self._retry - self._journal.retried)
        foreign = next((i for i, key in enumerate(self._written) if key in mine), len(self._written))
        ours = self._written[foreign:]
        self._appends = ours == keys[: len(ours)] and all(map(self._is_final, range(len(ours))))
        self._next = len(ours) if self._appends else 0
        self._renamed = any(not self._is_named(i) for i, key in enumerate(keys) if key in self._entries)
        self._promote()

    def _is_final(self, index: int) -> bool:
        key = self._keys[index] or ""
        return not self._entries[key].waits and key not in self._retry and self._is_named(index)

    def _is_named(self, index: int) -> bool:
        task = self._tasks[index]
        return self._entries[self._keys[index] or ""].label == _label(task.id, task.image_label)

    def has(self, key: str) -> bool:
        """Whether a task needs no more work."""
        return key in self._entries and key not in self._retry

    def died(self, key: str) -> bool:
        """Whether the process ended in a task as often as is allowed."""
        return self._journal.attempts[key] >= MOST_ATTEMPTS

    def begin(self, key: str) -> None:
        """Note that a task is about to be asked."""
        self._journal.begin(key)

    def drop(self, key: str) -> None:
        """Note that a task was given up and will be asked again."""
        self._journal.drop(key)

    def add(self, index: int, record: Record) -> None:
        """Keep the record of a task. It is on the disk when this returns."""
        key = record["key"]
        direct = self._appends and index == self._next if self._in_order else True
        if direct and key not in self._entries:
            place = self._output.append(record)
            self._written.append(key)
            self._next += 1
        else:
            direct, place = False, self._journal.add(record)
        self._entries[key] = _entry(not direct, place, record)
        self._retry.discard(key)
        self._promote()

    def _promote(self) -> None:
        """Let the records whose turn has come go from the journal to the output."""
        while self._in_order and self._appends and self._next < len(self._keys):
            key = self._keys[self._next]
            if key is None or not self.has(key):
                break
            record = self.read(self._next)
            place = self._output.append(record)
            self._written.append(key)
            self._entries[key] = _entry(False, place, record)
            self._next += 1

    def read(self, index: int) -> Record:
        """The record of a task that `has` one, with the task's own id and image name."""
        return with_labels(self._read(self._keys[index] or ""), self._tasks[index])

    def _read(self, key: str) -> Record:
        entry = self._entries[key]
        line = json.loads((self._journal if entry.waits else self._output).read(entry.place))
        record: Record = line["record"] if entry.waits else line
        return record

    def finish(self) -> None:
        """All tasks have records: bring the output in order, and delete the journal."""
        if self._in_order:
            final = self._appends and self._next == len(self._keys)
        else:
            final = not self._renamed and not any(entry.waits for entry in self._entries.values())
        if not final:
            self._rewrite()
        self._journal.remove()

    def _rewrite(self) -> None:
        index_of = {key: index for index, key in enumerate(self._keys) if key}
        others = [key for key in self._entries if key not in index_of]
        order = [*others, *index_of] if self._in_order else list(self._entries)
        records = (self.read(index_of[key]) if key in index_of else self._read(key) for key in order)
        self._output.close()
        replace_file(self.path, map(as_line, records))

    def close(self) -> None:
        """Close the files. What is not finished can be resumed."""
        output = getattr(self, "_output", None)
        if output is not None:
            output.close()
            with suppress(OSError):
                if not output.existed and not self.path.stat().st_size:
                    self.path.unlink()
        self._journal.close()


def _entry(waits: bool, place: Place, record: Record) -> Entry:
    return Entry(waits, place, has_failed(record), _label(record["id"], record.get("image")))


def _label(*names: object) -> int:
    return hash(json.dumps(names))


def require_file(path: Path, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Raise OutputError unless a regular file is or can be at a path, and it is none of the inputs."""
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not a regular file")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")
    for source in inputs:
        if path.exists() and os.path.exists(source) and os.path.samefile(path, source):
            raise OutputError(f"{path} is an input of the same run")
