"""A file of JSON objects, one a line, that only grows and survives whatever ends the process."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import OutputError
from ..files import naming, remove_parts, replacing, sync_file, sync_folder
from .record import as_line

GOES_ON = "What is there is whole: the same command goes on with it"


class Place(NamedTuple):
    """Where in a file a line is, in bytes, its end included."""

    offset: int
    length: int


class LinesFile:
    """An open file of lines. A line is written whole and is on the disk before `append` returns.

    ``starts`` is how lines of ours may begin: a file with another last line is not ours to repair. A line
    counts if its end is there.
    """

    def __init__(self, path: Path, starts: tuple[bytes, ...]) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self.path = path
        self.existed = path.exists()
        self.size = 0
        self._starts = starts
        with self._writing():
            self.fd = os.open(path, flags, 0o666)
            if not self.existed:
                sync_folder(path)

    def _writing(self) -> AbstractContextManager[None]:
        return naming(self.path, "written", then=". " + GOES_ON)

    def scan(self) -> Iterator[tuple[Place, Any]]:
        """Every whole line from the first; then the file's torn end, if it has one, is set aside.

        Raises OutputError for a line that is not JSON, unless it is a torn last one of ours.
        """
        torn: bytes | None = None
        number = 0
        with naming(self.path, "read"), self.path.open("rb") as file:
            for line in file:
                if torn is not None:
                    raise OutputError(
                        f"{self.path}, line {number} is not JSON: hired-gguf did not write this file"
                    )
                number += 1
                value = _parse(line)
                if value is None:
                    torn = line
                    continue
                place = Place(self.size, len(line))
                self.size += len(line)
                yield place, value
        if torn is not None:
            self._set_aside(torn, number)

    def _set_aside(self, torn: bytes, number: int) -> None:
        ours = any(start.startswith(torn[: len(start)]) for start in self._starts)
        if not ours and torn.strip(b"\0"):  # a lost block may be zeros
            raise OutputError(f"{self.path}, line {number} is not JSON: hired-gguf did not write this file")
        aside = beside(self.path, ".torn")
        with naming(aside, "written", then=". " + GOES_ON):
            with aside.open("ab") as file:
                file.write(torn.rstrip(b"\n") + b"\n")
                file.flush()
                sync_file(file.fileno(), aside)
            sync_folder(aside)
        with self._writing():
            os.ftruncate(self.fd, self.size)
            sync_file(self.fd, self.path)

    def append(self, value: Any, *, wait: bool = True) -> Place:
        """Write a line, and ``wait`` until it is on the disk. Raises FileError, and then undoes it."""
        line = as_line(value)
        try:
            with self._writing():
                written = os.write(self.fd, line)
                while written < len(line):  # a full disk may take a part; the next try says so
                    written += os.write(self.fd, line[written:])
                if wait:
                    sync_file(self.fd, self.path)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self.fd, self.size)
            raise
        place = Place(self.size, len(line))
        self.size += len(line)
        return place

    def wait(self) -> None:
        """Wait until all of it is on the disk. Raises FileError."""
        with self._writing():
            sync_file(self.fd, self.path)

    def cut(self, last: Place) -> None:
        """Take the last line back. Raises FileError."""
        with self._writing():
            os.ftruncate(self.fd, last.offset)
            self.size = last.offset
            sync_file(self.fd, self.path)

    def read(self, place: Place) -> bytes:
        """A line that was scanned or appended."""
        with naming(self.path, "read"), self.path.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.length)

    def close(self) -> None:
        """Give the file, and a lock on it, back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _parse(line: bytes) -> Any:
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def beside(path: Path, suffix: str) -> Path:
    """A file beside another, with a longer name."""
    return path.with_name(path.name + suffix)


def replace_file(path: Path, lines: Iterable[bytes]) -> None:
    """Put other lines in a file's place: whoever looks, also after a crash, finds the old ones or the new."""
    remove_parts(path)
    with replacing(path, sync=True) as part, part.open("wb") as file:
        os.chmod(part, stat.S_IMODE(os.stat(path).st_mode))
        file.writelines(lines)
