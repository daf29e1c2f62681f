"""The lower half of the GGUF reader: opening, and a cursor with bounds."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from ..errors import ModelFormatError, short
from ..files import open_regular
from .not_gguf import START, describe, no_file, unfinished

MAX_HEADER: Final = 24 << 20  # the largest vocabularies and merge lists need about 12 MiB
MAX_KEYS: Final = 1 << 14
MAX_KEY_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 256 << 10  # longer strings and arrays are stepped over
MAX_KEPT_BYTES: Final = 4 << 20  # of all values together
NUMBER_BYTES: Final = 32  # a number in a Python tuple


@contextmanager
def open_header(path: Path) -> Iterator[Header]:
    """Open a regular file at its start. Pipes and devices are not opened, so none can block or act."""
    stream = _open(path)
    try:
        with stream:
            yield Header(stream, path, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise ModelFormatError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> BinaryIO:
    try:
        stream = open_regular(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "No such model file", str(path)) from error
    except OSError as error:
        raise ModelFormatError(f"{path}: cannot be opened: {error.strerror or error}") from error
    except ValueError as error:  # a NUL, or a character that the file system has no bytes for
        raise ModelFormatError(f"{str(path)!r} is no file path: {error}") from error
    if stream is None:
        raise ModelFormatError(f"{path}: {no_file(path)}; a GGUF file is needed")
    return stream


class Header:
    """A cursor that refuses to step past the end of the file or the largest header allowed."""

    def __init__(self, stream: BinaryIO, path: Path, size: int) -> None:
        self.stream = stream
        self.path = path
        self.size = size
        self.position = 0
        self.kept = 0

    def fail(self, problem: str) -> NoReturn:
        """Raise ModelFormatError naming the file."""
        raise ModelFormatError(f"{self.path}: {problem}")

    def require_magic(self) -> None:
        """Step over GGUF's magic; another file is told from its first bytes."""
        if self.size == 0:
            self.fail(f"the file is empty: {unfinished(self.path)}")
        start = self.stream.read(START)
        self.stream.seek(0)
        if not start.startswith(b"GGUF"):
            self.fail(describe(start, self.size, self.path))
        self.skip(4, "the magic")

    def take(self, count: int, what: str) -> bytes:
        """Read exactly ``count`` bytes of ``what``."""
        self._advance(count, what)
        data = self.stream.read(count)
        if len(data) != count:
            self.fail(f"{what}: the file shrank while it was read")
        return data

    def skip(self, count: int, what: str) -> None:
        """Step over ``count`` bytes of ``what``."""
        self._advance(count, what)
        self.stream.seek(self.position)

    def u32(self, what: str) -> int:
        """Read a type number, version or dimension count."""
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        """Read a length, count or offset."""
        return int.from_bytes(self.take(8, what), "little")

    def count(self, what: str, most: int) -> int:
        """Read a count that may be at most ``most``."""
        if (value := self.u64(what)) > most:
            self.fail(f"{what} is {value}; at most {most} are allowed")
        return value

    def text(self, length: int, what: str) -> str:
        """Read UTF-8 without NUL, at which C readers would cut it."""
        data = self.take(length, what)
        if b"\0" in data:
            self.fail(f"{what} holds a NUL character: {short(repr(data))}")
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.fail(f"{what} is not valid UTF-8: {short(repr(data))}")

    def name(self, what: str, most: int) -> str:
        """Read a name of 1 to ``most`` bytes."""
        length = self.u64(what)
        if not 1 <= length <= most:
            self.fail(f"{what} has {length} bytes; 1 to {most} are allowed")
        return self.text(length, what)

    def keeps(self, cost: int) -> bool:
        """Whether a value of ``cost`` bytes is kept, given those already kept."""
        if cost > MAX_VALUE_BYTES or self.kept + cost > MAX_KEPT_BYTES:
            return False
        self.kept += cost
        return True

    def skip_strings(self, count: int, what: str) -> None:
        """Step over a vocabulary, a block of the file at a time; its last string may reach beyond it."""
        length_at = struct.Struct("<Q").unpack_from
        while count:
            block = self.stream.read(1 << 20)
            end = 0
            while count and end + 8 <= len(block):
                end += 8 + length_at(block, end)[0]
                count -= 1
            self.skip(end or 8, what)

    def _advance(self, count: int, what: str) -> None:
        left = self.size - self.position
        if count > left:
            self.fail(
                f"{what} needs {count} bytes at byte {self.position}, but the file has {left} more, "
                f"{self.size} in all: it is cut short or damaged; {unfinished(self.path)}"
            )
        if self.position + count > MAX_HEADER:
            self.fail(f"{what} ends at byte {self.position + count}; a header may have {MAX_HEADER} bytes")
        self.position += count
