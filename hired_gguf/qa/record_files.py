"""An output file and its journal: the records that are there, whatever ended the runs before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import NamedTuple

from ..closing import Closing
from ..errors import OutputError
from .journal import Journal
from .lines_file import LinesFile, Place, replace_file
from .record import FIRST_FIELD, Record, as_line, has_failed, is_record


class Entry(NamedTuple):
    """Where a record is: in the output or, if it ``waits``, in the journal. ``label`` is `label_of` it."""

    waits: bool
    place: Place
    failed: bool
    label: int


class RecordFiles(Closing):
    """The two files, open and locked.

    ``entries`` has the latest record of each key, where what the journal says is newer than what the output
    says. ``written`` are the output's lines, by key. ``latest`` is the record that was written last before.

    Raises OutputError if another run has the file or if it holds something else than records, OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self.written: list[str] = []
        with ExitStack() as opened:
            self.journal = opened.enter_context(closing(Journal(path)))
            self._output = LinesFile(path, (FIRST_FIELD,))
            opened.callback(self._close_output)
            self.latest = self._load()
            self._opened = opened.pop_all()

    def _load(self) -> Record | None:
        latest = None
        for place, record in self._output.scan():
            if not is_record(record):
                raise OutputError(f"{self.path} holds something else than records of hired-gguf qa")
            self._enter(record, place, waits=False)
            self.written.append(record["key"])
            latest = record
        for place, record in self.journal.scan():
            latest = record
            old = self.entries.get(record["key"])
            if old is None or old.waits or self._output.read(old.place) != as_line(record):
                self._enter(record, place, waits=True)
        return latest

    def _enter(self, record: Record, place: Place, *, waits: bool) -> None:
        label = label_of(record["id"], record.get("image"))
        self.entries[record["key"]] = Entry(waits, place, has_failed(record), label)

    def append(self, record: Record) -> None:
        """Put a record at the output's end. It is on the disk when this returns."""
        self._enter(record, self._output.append(record), waits=False)
        self.written.append(record["key"])

    def postpone(self, record: Record) -> None:
        """Put a record into the journal until its turn. It is on the disk when this returns."""
        self._enter(record, self.journal.add(record), waits=True)

    def read(self, key: str) -> Record:
        """The latest record of a key."""
        entry = self.entries[key]
        line = json.loads((self.journal if entry.waits else self._output).read(entry.place))
        record: Record = line["record"] if entry.waits else line
        return record

    def replace_output(self, records: Iterable[Record]) -> None:
        """Put other lines in the output's place. ``records`` may read from it; nobody can afterwards."""
        self._output.close()
        replace_file(self.path, map(as_line, records))

    def close(self) -> None:
        """Close both. An empty file that was not there before is not left lying about."""
        self._opened.close()

    def _close_output(self) -> None:
        self._output.close()
        with suppress(OSError):
            if not self._output.existed and not self.path.stat().st_size:
                self.path.unlink()


def label_of(*names: object) -> int:
    """Equal for equal ids and image names, which take more memory."""
    return hash(json.dumps(names))
