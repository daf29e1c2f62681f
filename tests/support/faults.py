"""Lets the n-th call of the system fail that touches a folder, for real code that is not told of it."""

from __future__ import annotations

import builtins
import errno
import io
import os
from contextlib import contextmanager

#: What may be asked to fail, and with what.
WAYS = {
    "full": ("write", errno.ENOSPC),
    "short": ("write", None),
    "quota": ("write", errno.EDQUOT),
    "too large": ("write", errno.EFBIG),
    "interrupted": ("write", errno.EINTR),
    "fsync": ("fsync", errno.EIO),
    "rename": ("replace", errno.ENOSPC),
    "truncate": ("ftruncate", errno.EIO),
    "open": ("open", errno.EIO),
    "delete": ("unlink", errno.EIO),
    "read": ("read", errno.EIO),
}


class Faults:
    """Counts the calls of one kind that touch a folder, and lets one of them fail, or all from it on.

    A failing write puts half of its bytes there first; without an error number it only is a short one.
    """

    def __init__(self, folder, way, at, *, lasting=False):
        self.folder, self.at, self.lasting = os.path.realpath(folder), at, lasting
        self.name, self.errno = WAYS[way]
        self.calls = 0

    def _strikes(self, target):
        path = f"/proc/self/fd/{target}" if isinstance(target, int) else os.fsdecode(target)
        if not os.path.realpath(path).startswith(self.folder):
            return False
        self.calls += 1
        return self.calls == self.at or (self.lasting and self.calls > self.at)

    def call(self, real, target, *rest, **options):
        if not self._strikes(target):
            return real(target, *rest, **options)
        if self.name == "write" and self.errno != errno.EINTR:  # what is interrupted has written nothing
            half = real(target, bytes(rest[0])[: max(len(rest[0]) // 2, 1)])
            if self.errno is None:
                return half
        raise OSError(self.errno, os.strerror(self.errno))


@contextmanager
def failing(folder, way, at, **options):
    """The n-th call fails within. Python's own files go through the same calls meanwhile."""
    faults = Faults(folder, way, at, **options)
    real = getattr(os, faults.name)
    opened = io.open

    class Raw(io.FileIO):
        def write(self, data):
            return os.write(self.fileno(), data)

        def readinto(self, buffer):
            data = os.read(self.fileno(), len(buffer))
            buffer[: len(data)] = data
            return len(data)

        def readall(self):
            return b"".join(iter(lambda: os.read(self.fileno(), 1 << 20), b""))

    def open_raw(file, mode="r", buffering=-1, *text, **rest):
        if isinstance(file, int):
            return opened(file, mode, buffering, *text, **rest)
        if faults.name == "open":
            faults.call(lambda _: None, file)
        raw = Raw(file, mode.replace("b", "").replace("t", ""))
        stream = io.BufferedReader(raw) if "r" in mode and "+" not in mode else io.BufferedWriter(raw)
        return stream if "b" in mode else io.TextIOWrapper(stream, *text, **rest)

    def call(target, *rest, **options):
        return faults.call(real, target, *rest, **options)

    setattr(os, faults.name, call)
    builtins.open = io.open = open_raw
    try:
        yield faults
    finally:
        setattr(os, faults.name, real)
        builtins.open = io.open = opened
