"""What parent and child say to each other: pickled objects with their lengths, over a pipe of their own."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

_LENGTH = struct.Struct("<Q")


def pack(message: Any) -> bytes:
    """An object as it goes over the pipe. Raises whatever pickling raises."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


def read_packed(stream: IO[bytes]) -> bytes | None:
    """The next object, still pickled; None where the other side has ended, perhaps in the middle of one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None
