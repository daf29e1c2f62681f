"""Files of any kind: named as people name them, opened without blocking, replaced as a whole."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import unquote

import platformdirs

from .errors import FileError, HiredError, InputError

PART = ".part"  # how the names of unfinished files end
_QUOTES = {"'": "'", '"': '"', "\u2018": "\u2019", "\u201c": "\u201d"}  # the last two from word processors

#: What a file system says that cannot do a thing at all, as network shares do. Damage says something else.
UNABLE = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.EPERM)

_REMEDIES = {
    errno.ENOSPC: "make room on its disk",
    errno.EFBIG: "it would be larger than allowed: raise the limit (ulimit -f), or name another place",
    errno.EIO: "the disk or the network reports a fault: look at the system's log, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.EACCES: "give yourself the right to, or name another place",
}
if hasattr(errno, "EDQUOT"):
    _REMEDIES[errno.EDQUOT] = "your share of the disk is used up: make room"

_log = logging.getLogger("hired_gguf")
_told: set[tuple[str, str]] = set()


def user_folder(kind: Literal["config", "cache"]) -> Path:
    """This user's folder for hired-gguf where the system keeps such things, or $HIRED_GGUF_CACHE.

    Raises HiredError for a user without a home folder.
    """
    chosen = os.environ.get("HIRED_GGUF_CACHE") if kind == "cache" else None
    if chosen:
        return Path(given_path(chosen))
    try:
        return _system_folder(kind)
    except RuntimeError:  # no HOME, and no entry in the system's list of users
        variables = "HIRED_GGUF_CACHE to a folder" if kind == "cache" else "HIRED_GGUF_CONFIG to a file"
        raise HiredError(f"this user has no home folder: set HOME, or {variables}") from None


def _system_folder(kind: Literal["config", "cache"]) -> Path:
    if kind == "config":
        return platformdirs.user_config_path("hired-gguf", appauthor=False, roaming=True)
    return platformdirs.user_cache_path("hired-gguf", appauthor=False)


def given_path(given: str | os.PathLike[str], folder: str | os.PathLike[str] = "") -> str:
    """The path that somebody means by a text, seen from ``folder``.

    What exists by the very name is meant. Else a leading ``~`` is the home folder; and in a ``str``, what a
    terminal writes where a file is dropped is undone: quotes around it, blanks about it, backslashes before
    blanks and signs (not on Windows, where they part folders), ``file:``. Raises InputError for a ``file:``
    URL that names another host.
    """
    text = os.fsdecode(given)
    if not text or os.path.lexists(os.path.join(folder, text)):
        return os.path.join(folder, text)
    if isinstance(given, str):
        text = _unquoted(text)
        if text[:5].lower() == "file:":
            text = _path_of_url(text)
    return os.path.join(folder, os.path.expanduser(text))


def _unquoted(text: str) -> str:
    text = text.strip()
    is_quoted = len(text) > 1 and _QUOTES.get(text[0]) == text[-1]
    if os.name != "nt" and (is_quoted or re.search(r"\\[^\w/]", text)):
        with suppress(ValueError):  # quotes that do not pair
            words = shlex.split(text)
            if len(words) == 1 and words[0] != text:
                return words[0]
    return text[1:-1] if is_quoted else text


def _path_of_url(url: str) -> str:
    path = url[5:]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise InputError("a file: URL cannot name another host")
        path = slash + path
    path = unquote(path, errors="surrogateescape")
    return path[1:] if os.name == "nt" and re.match("/[A-Za-z]:", path) else path


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
def naming(
    path: Path, doing: Literal["read", "written", "deleted"], *, also: Path | None = None, then: str = ""
) -> Iterator[None]:
    """Raise FileError, which names the file and the remedy, instead of what the system says.

    ``also`` is another name that it has meanwhile; ``then`` tells what to do after the remedy. What is about
    another file, or from us, stays as it is.
    """
    try:
        yield
    except OSError as error:
        known = error.errno is not None and not isinstance(error, FileError)
        if not known or str(error.filename) not in map(str, (None, path, also)):
            raise
        remedy = _REMEDIES.get(error.errno or 0, "name another place")
        named = FileError(f"{path} cannot be {doing}: {error.strerror}; {remedy}{then}")
        named.errno = error.errno
        raise named from error


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a new name beside ``path``: a file written there takes its place on success, else it vanishes.

    With ``sync`` it has the old or the new content after a power cut, too. Raises FileError.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    with naming(path, "written", also=partial):
        try:
            yield partial
            if sync:
                _sync(partial, os.O_RDWR)
            os.replace(partial, path)
        finally:
            with suppress(OSError):  # else nobody would hear what went wrong before
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
    if os.name != "posix":
        return
    try:
        _sync(path.parent, os.O_RDONLY)
    except PermissionError as error:  # a folder may be open for writing alone
        tell_unable(path.parent, "keep new names through a power cut", error)


def sync_file(descriptor: int, path: Path) -> None:
    """Wait until what was written is on the disk, where the system can. Raises OSError if it was lost."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
        tell_unable(path, "keep what is written through a power cut", error)


def tell_unable(path: Path, what: str, error: OSError) -> None:
    """Log, once for each place, what its file system cannot do."""
    place = str(path if path.is_dir() else path.parent)
    if (place, what) not in _told:
        _told.add((place, what))
        _log.warning("the file system of %s cannot %s (%s): going on without", place, what, error.strerror)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        sync_file(descriptor, path)
    finally:
        os.close(descriptor)
