"""The lines of a text file as programs write them: UTF-8, or what Excel and PowerShell call Unicode."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import InputError

MAX_LINE = 64 << 20


def numbered_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a file in UTF-8 or UTF-16 and their numbers from 1. A byte order mark is left out.

    Raises InputError, naming file and line.
    """
    first = file.readline(MAX_LINE + 1)
    if (wide := _wide_encoding(first)) is not None:
        yield from enumerate(_decode_wide(first + file.read(MAX_LINE), wide, name), 1)
        return
    number, line = 1, first
    while line:
        if len(line) > MAX_LINE:
            raise InputError(f"{name}, line {number} is longer than {MAX_LINE} bytes")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}, line {number} is not UTF-8: {error.reason}; save it as UTF-8 (Excel: CSV UTF-8)"
            ) from None
        number, line = number + 1, file.readline(MAX_LINE + 1)


def _wide_encoding(start: bytes) -> str | None:
    """Which UTF-16 a file is by its mark or, as a task begins with ASCII, by its first two bytes."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(start) > 1 and (start[0] == 0) != (start[1] == 0):
        return "utf-16-be" if start[0] == 0 else "utf-16-le"
    return None


def _decode_wide(data: bytes, encoding: str, name: str) -> list[str]:
    if len(data) >= MAX_LINE:
        raise InputError(f"{name} is UTF-16 of more than {MAX_LINE} bytes; save it as UTF-8")
    try:
        return list(io.StringIO(data.decode(encoding), newline="\n"))
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-16, as it begins: {error.reason}; save it as UTF-8") from None
