"""OUTPUT.journal: what was begun, and the records that wait for their turn. Its lock is the run's."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import OutputError
from ..files import UNABLE, naming, sync_folder, tell_unable
from .lines_file import LinesFile, Place, beside
from .record import Record, is_record

STARTS = (b'{"attempt": ', b'{"retry": ', b'{"record": ')
LOCK_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # what locking says where another run has the lock


class Journal:
    """The journal of an output file, locked. Each line is an object with one of three names.

    ``attempt`` (a task's key) is written before a task is asked, and taken back if it was given up without
    harm; ``record`` when it is done but not its turn, ``retry`` (keys) where failed ones get another chance.
    ``attempts`` counts, by key, those that nothing ended: a process died in them.

    Raises OutputError if another run has it, OSError.
    """

    def __init__(self, output: Path) -> None:
        self.path = beside(output, ".journal")
        self.attempts: Counter[str] = Counter()
        self.retried: set[str] = set()
        self._begun: tuple[str, Place] | None = None  # the latest line, if it is an attempt
        self._file = _open_locked(self.path, output)

    def scan(self) -> Iterator[tuple[Place, Record]]:
        """The records in it, the oldest first."""
        for place, value in self._file.scan():
            if not isinstance(value, dict) or len(value) != 1:
                raise OutputError(f"{self.path} holds something else than a journal of hired-gguf qa")
            ((name, content),) = value.items()
            if name == "record" and is_record(content):
                self._end(content["key"])
                yield place, content
            elif name == "attempt":
                self.attempts[content] += 1
            elif name == "retry":
                self._forget(content)

    def begin(self, key: str) -> None:
        """Note that a task is about to be asked, for whoever comes after this process."""
        self._begun = key, self._file.append({"attempt": key}, wait=False)
        self.attempts[key] += 1

    def settle(self) -> None:
        """Wait until what was begun is on the disk, for whoever comes after a power cut."""
        self._file.wait()

    def drop(self, key: str) -> None:
        """Take the latest `begin` of a key back, unless a record came after it.

        The file gets shorter, which a full disk allows.
        """
        if self._begun is not None and self._begun[0] == key:
            self._file.cut(self._begun[1])
            self._begun = None
            self.attempts[key] -= 1

    def retry(self, keys: Iterable[str]) -> None:
        """Forget what happened to tasks before."""
        if chosen := sorted(keys):
            self._file.append({"retry": chosen})
            self._forget(chosen)

    def add(self, record: Record) -> Place:
        """Keep a record until its turn."""
        place = self._file.append({"record": record})
        self._begun = None
        self._end(record["key"])
        return place

    def read(self, place: Place) -> bytes:
        """The line of a record."""
        return self._file.read(place)

    def remove(self) -> None:
        """Delete it: everything is in the output."""
        if os.name == "posix":
            with naming(self.path, "deleted"):
                self.path.unlink(missing_ok=True)  # still locked, so that nobody writes to what is going away
                sync_folder(self.path)
            self._file.close()
        else:
            self._file.close()
            with suppress(OSError):
                self.path.unlink()

    def close(self) -> None:
        """Release the journal to the next run. An empty journal is deleted."""
        if self._file.fd >= 0 and not os.fstat(self._file.fd).st_size:
            self.remove()
        self._file.close()

    def _end(self, key: str) -> None:
        self.attempts.pop(key, None)
        self.retried.discard(key)

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.attempts.pop(key, None)
            self.retried.add(key)


def _open_locked(path: Path, output: Path) -> LinesFile:
    while True:
        file = LinesFile(path, STARTS)
        if not _try_lock(file):
            file.close()
            raise OutputError(f"{output} is being written by another run; wait for it, or name another file")
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fd), path.stat()):
                return file
        file.close()  # the run before has just finished and deleted it


def _try_lock(file: LinesFile) -> bool:
    """Lock an open file for this run, or tell that another run has it. Closing it gives the lock back.

    Where the file system has no locks, a second run on the same file is the user's to avoid: it says so.
    """
    fd = file.fd
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            os.lseek(fd, 1 << 30, os.SEEK_SET)  # a byte that is never written: others may read the file
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in LOCK_HELD:
            return False
        if error.errno not in UNABLE:
            raise
        tell_unable(file.path, "lock a file, so do not start a second run with the same output", error)
    return True
