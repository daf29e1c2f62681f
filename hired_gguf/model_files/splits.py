"""GGUF files in several parts, as llama.cpp's llama-gguf-split writes them: NAME-00001-of-00003.gguf...

The first part has the metadata. llama.cpp takes that one and finds the others by their names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ..errors import ModelFormatError
from .gguf_fields import Fields
from .gguf_file import GGUFFile, read_gguf

NAME: Final = "{}-{:05d}-of-{:05d}.gguf"
PARTS: Final = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
JOIN: Final = "join the parts: llama-gguf-split --merge FIRST-PART WHOLE.gguf"
MAX_PARTS: Final = 1 << 10


def refuse_part(fields: Fields, *, whole: bool = False) -> None:
    """Raise UnsupportedModelError for a later part of a split file, and with ``whole`` for the first, too."""
    number, count = _number_and_count(fields)
    if count < 2:
        return
    path = fields.file.path
    this = f"is {number}: this is part {number + 1} of {count} of a split GGUF"
    if whole:
        fields.unsupported("split.no", f"{this}. A vision file is loaded whole: {JOIN}")
    if number:
        first = path.with_name(_name(path, 0, count))
        there = "is there" if first.exists() else "is not there: fetch all parts into one folder"
        fields.unsupported("split.no", f"{this}. Give the first part: {first} {there}")


def read_parts(fields: Fields) -> list[GGUFFile]:
    """All files of a model, by its first part or only file, each read and held against the others.

    Raises what `refuse_part` raises, ModelFormatError for a part that is missing, damaged or another model's.
    """
    refuse_part(fields)
    file = fields.file
    _, count = _number_and_count(fields)
    if count < 2:
        return [file]
    if file.path.name != (name := _name(file.path, 0, count)):
        raise ModelFormatError(
            f"{file.path}: the first of {count} parts; llama.cpp finds the others by their names, so it must "
            f"be called {name!r}, and the others accordingly"
        )
    others = [_read_part(file, number, count) for number in range(1, count)]
    _check_tensors(fields, [file, *others])
    return [file, *others]


def _read_part(first: GGUFFile, number: int, count: int) -> GGUFFile:
    path = first.path.with_name(_name(first.path, number, count))
    if not path.exists():
        raise ModelFormatError(f"{first.path}: part {number + 1} of {count} is not beside it: {path.name}")
    part = read_gguf(path)
    if (found := _number_and_count(Fields(part))) != (number, count):
        raise ModelFormatError(
            f"{path}: split.no and split.count are {found[0]} and {found[1]}, not {number} and {count}: "
            f"another model's part, or renamed"
        )
    return part


def _check_tensors(fields: Fields, parts: list[GGUFFile]) -> None:
    names = [name for part in parts for name in part.tensors]
    wanted = fields.get("split.tensors.count", int)
    if len(set(names)) != len(names) or wanted not in (None, len(names)):
        fields.fail(
            "split.tensors.count",
            f"is {wanted}; its {len(parts)} parts have {len(names)} tensors, {len(set(names))} by name: "
            "parts of different models",
        )


def _number_and_count(fields: Fields) -> tuple[int, int]:
    fields.check_types({"split.no": "u16", "split.count": "u16", "split.tensors.count": "i32"})
    number, count = fields.get("split.no", int) or 0, fields.get("split.count", int) or 0
    if count > MAX_PARTS or (count > 1 and number >= count):
        fields.fail("split.no", f"is {number} of split.count {count}; at most {MAX_PARTS} parts are allowed")
    return number, count


def _name(path: Path, number: int, count: int) -> str:
    """What the part with that number is called, as llama.cpp spells it."""
    match = PARTS.fullmatch(path.name)
    return NAME.format(match[1] if match else path.stem, number + 1, count)
