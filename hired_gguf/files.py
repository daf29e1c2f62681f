"""Files of any kind: opened without blocking, and replaced so that nobody ever sees half of one."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import platformdirs

PART = ".part"  # how the names of unfinished files end


def user_folder(kind: Literal["config", "cache"]) -> Path:
    """This user's folder for hired-gguf where the system keeps such things, or $HIRED_GGUF_CACHE."""
    if kind == "config":
        return platformdirs.user_config_path("hired-gguf", appauthor=False, roaming=True)
    chosen = os.environ.get("HIRED_GGUF_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("hired-gguf", appauthor=False)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO | None:
    """A regular file, open for reading; None for a pipe, device or folder, which is not even opened.

    So nothing blocks or acts. Raises OSError, ValueError for a name that no file can have.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        return None
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # another file may have come there in between
        return open(descriptor, "rb", buffering=1 << 16)
    os.close(descriptor)
    return None


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a new name beside ``path``: a file written there takes its place on success, else it vanishes.

    With ``sync`` it has the old or the new content after a power cut, too. Raises OSError.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        yield partial
        if sync:
            _sync(partial, os.O_RDWR)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    if sync:
        sync_folder(path)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there as a whole or not at all. Raises OSError."""
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")


def remove_parts(path: Path) -> None:
    """Delete what processes left that died while `replacing` a file. Only its one writer may."""
    for partial in path.parent.iterdir():
        if partial.name.startswith(f".{path.name}.") and partial.name.endswith(PART):
            partial.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a file's folder survive a power cut, where the system can."""
    if os.name == "posix":
        _sync(path.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
