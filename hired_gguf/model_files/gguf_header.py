"""The lower half of the GGUF reader: opening, a bounded cursor, metadata values."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, TypeAlias

from ..errors import ModelFormatError, short
from ..files import open_regular

MAX_HEADER: Final = 24 << 20  # the largest vocabularies and merge lists need about 12 MiB
MAX_KEYS: Final = 1 << 14
MAX_KEY_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 256 << 10  # longer strings and arrays are stepped over
MAX_KEPT_BYTES: Final = 4 << 20  # of all values together
NUMBER_BYTES: Final = 32  # a number in a Python tuple

# number in the file: (our name, struct format)
SCALARS: Final = {
    0: ("u8", "B"), 1: ("i8", "b"), 2: ("u16", "H"), 3: ("i16", "h"), 4: ("u32", "I"), 5: ("i32", "i"),
    6: ("f32", "f"), 7: ("bool", "B"), 10: ("u64", "Q"), 11: ("i64", "q"), 12: ("f64", "d"),
}  # fmt: skip
STRING: Final = 8
ARRAY: Final = 9

GGUFType: TypeAlias = str
"""``u32``, ``f32``, ``bool``, ``str`` ...; an array is ``array[i32]``."""


@dataclass(frozen=True)
class Skipped:
    """Stands for a string or array that is too long to keep, and for every array of strings."""

    length: int


Number: TypeAlias = bool | int | float
Value: TypeAlias = Number | str | tuple[Number, ...] | Skipped


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
        raise ModelFormatError(f"{path}: not a regular file; a GGUF file is needed")
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
            self.fail(f"{what} needs {count} bytes at byte {self.position}, but the file has {left} more")
        if self.position + count > MAX_HEADER:
            self.fail(f"{what} ends at byte {self.position + count}; a header may have {MAX_HEADER} bytes")
        self.position += count


def read_metadata(header: Header, n_keys: int) -> tuple[dict[str, Value], dict[str, GGUFType]]:
    """Read the key-value pairs: values and types by key."""
    metadata: dict[str, Value] = {}
    types: dict[str, GGUFType] = {}
    for index in range(n_keys):
        key = header.name(f"metadata key {index}", MAX_KEY_BYTES)
        if key in metadata:
            header.fail(f"duplicate metadata key {key!r}")
        types[key], metadata[key] = _read_value(header, f"metadata key {key!r}")
    return metadata, types


def _read_value(header: Header, what: str) -> tuple[GGUFType, Value]:
    code = header.u32(what)
    if code == STRING:
        return "str", _read_string(header, what)
    if code != ARRAY:
        return SCALARS[_known(header, code, what)][0], _read_numbers(header, code, 1, what)[0]
    code = header.u32(what)
    length = header.u64(what)
    if code == STRING:
        header.skip_strings(length, what)
        return "array[str]", Skipped(length)
    kind, form = SCALARS[_known(header, code, what)]
    if header.keeps(length * NUMBER_BYTES):
        return f"array[{kind}]", _read_numbers(header, code, length, what)
    header.skip(length * struct.calcsize(form), what)
    return f"array[{kind}]", Skipped(length)


def _read_string(header: Header, what: str) -> str | Skipped:
    length = header.u64(what)
    if header.keeps(length):
        return header.text(length, what)
    header.skip(length, what)
    return Skipped(length)


def _read_numbers(header: Header, code: int, length: int, what: str) -> tuple[Number, ...]:
    kind, form = SCALARS[code]
    values = struct.unpack(f"<{length}{form}", header.take(length * struct.calcsize(form), what))
    if kind != "bool":
        return values
    if wrong := next((value for value in values if value > 1), None):
        header.fail(f"{what} has the value {wrong}; a bool is 0 or 1")
    return tuple(map(bool, values))


def _known(header: Header, code: int, what: str) -> int:
    if code == ARRAY:
        header.fail(f"{what} is an array of arrays, which no GGUF loader reads")
    if code not in SCALARS:
        header.fail(f"{what} has the unknown type {code}; 0 to 12 are defined")
    return code
