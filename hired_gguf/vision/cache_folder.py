"""Encoded images in files: one a file, checked by a digest, safe to share and to lose."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..files import PART, given_path, open_regular, replacing
from .encoding import Floats

MAGIC = b"hired-gguf image encoding, v. 1\n"
SUFFIX = ".encoding"
STALE_SECONDS = 3600  # a part this old was left by a process that died

_NAME = re.compile(r"[0-9a-f]{64}" + re.escape(SUFFIX))
_PART = re.compile(rf"\.{_NAME.pattern}\..*{re.escape(PART)}")
_ALIGNMENT = 64
_log = logging.getLogger("hired_gguf")


class EncodingFolder:
    """Arrays by key (64 hexadecimal digits), in at most ``max_bytes`` of files; the longest unused go first.

    A file is MAGIC, the SHA-256 of what follows, a line of JSON with key and shapes, padded with blanks to
    a multiple of 64 bytes, and the numbers as little-endian float32. Damaged files of ours are deleted, all
    others left alone. Several processes may share a folder. Nothing raises OSError: the first is logged.
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int) -> None:
        self.folder = Path(given_path(folder))
        self.max_bytes = max_bytes
        self._warned = False

    def read(self, key: str) -> dict[str, Floats] | None:
        """The arrays of a key, read-only, or None."""
        path = self._path(key)
        try:
            data = self._content(path)
            if data is None:
                return None
            arrays = _parse(data, key)
            if arrays is None:
                path.unlink(missing_ok=True)
                return None
        except OSError as error:
            self._warn(error)
            return None
        with suppress(OSError):  # a folder may be shared for reading only
            os.utime(path)
        return arrays

    def write(self, key: str, arrays: Mapping[str, Floats]) -> None:
        """Keep the arrays of a key."""
        path, parts = self._path(key), _format(key, arrays)
        if sum(map(len, parts)) > self.max_bytes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists() or _is_ours(path):
                with replacing(path) as partial, partial.open("wb") as file:
                    file.writelines(parts)
                self._make_room()
        except OSError as error:
            self._warn(error)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _content(self, path: Path) -> bytes | None:
        """None unless the file is there, is ours, and of a size that we would write."""
        try:
            if path.stat().st_size > self.max_bytes or not _is_ours(path):
                return None
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _make_room(self) -> None:
        entries = sorted(self._entries())
        excess = sum(size for _, size, _ in entries) - self.max_bytes
        for _, size, path in entries:
            if excess <= 0:
                break
            if _is_ours(path):
                path.unlink(missing_ok=True)
                excess -= size

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Time of last use, size and path of our files; parts of dead processes are deleted."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process tidies up too
                facts = path.lstat()
                if not stat.S_ISREG(facts.st_mode):
                    continue
                if _NAME.fullmatch(path.name):
                    yield facts.st_mtime_ns, facts.st_size, path
                elif _PART.fullmatch(path.name) and time.time() - facts.st_mtime > STALE_SECONDS:
                    path.unlink()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("encoded images cannot be kept in %s: %s", self.folder, error)


def _is_ours(path: Path) -> bool:
    """Whether a regular file begins as ours do, or is one that was cut off before that."""
    with suppress(FileNotFoundError):
        if (file := open_regular(path)) is not None:
            with file:
                return MAGIC.startswith(file.read(len(MAGIC)))
    return False


def _format(key: str, arrays: Mapping[str, Floats]) -> list[memoryview]:
    header = json.dumps({"key": key, "shapes": {name: list(a.shape) for name, a in arrays.items()}}).encode()
    line = header.ljust(math.ceil((len(header) + 1) / _ALIGNMENT) * _ALIGNMENT - 1) + b"\n"
    body = [memoryview(line), *(_raw(array) for array in arrays.values())]
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    return [memoryview(MAGIC + digest.digest()), *body]


def _raw(array: Floats) -> memoryview:
    return np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8).data


def _parse(data: bytes, key: str) -> dict[str, Floats] | None:
    """The arrays, or None if anything is not as it was written."""
    start = len(MAGIC) + hashlib.sha256().digest_size
    if hashlib.sha256(memoryview(data)[start:]).digest() != data[len(MAGIC) : start]:
        return None
    try:
        end = data.index(b"\n", start) + 1
        header = json.loads(data[start:end])
        arrays = {}
        for name, shape in header["shapes"].items():
            count = math.prod(shape)
            arrays[name] = np.frombuffer(data, "<f4", count, end).reshape(shape)
            end += 4 * count
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return arrays if header["key"] == key and end == len(data) else None
