"""Metadata values of a GGUF file: small ones are kept, large ones stepped over."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from .gguf_header import MAX_KEY_BYTES, NUMBER_BYTES, Header, open_header

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
    at: int = field(default=0, compare=False)
    """Where in the file the first item of an array lies."""


Number: TypeAlias = bool | int | float
Value: TypeAlias = Number | str | tuple[Number, ...] | Skipped


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


def read_strings(path: Path, array: Skipped, what: str) -> Iterator[bytes]:
    """The strings of an array that was stepped over, one after the other. Raises ModelFormatError."""
    with open_header(path) as header:
        header.stream.seek(array.at)
        header.position = array.at
        for _ in range(array.length):
            yield header.take(header.u64(what), what)


def _read_value(header: Header, what: str) -> tuple[GGUFType, Value]:
    code = header.u32(what)
    if code == STRING:
        return "str", _read_string(header, what)
    if code != ARRAY:
        return SCALARS[_known(header, code, what)][0], _read_numbers(header, code, 1, what)[0]
    code = header.u32(what)
    length = header.u64(what)
    at = header.position
    if code == STRING:
        header.skip_strings(length, what)
        return "array[str]", Skipped(length, at)
    kind, form = SCALARS[_known(header, code, what)]
    if header.keeps(length * NUMBER_BYTES):
        return f"array[{kind}]", _read_numbers(header, code, length, what)
    header.skip(length * struct.calcsize(form), what)
    return f"array[{kind}]", Skipped(length, at)


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
