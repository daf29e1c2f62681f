"""Pictures in folders, and by globs."""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import InputError
from ..files import given_path

#: What counts as a picture in a folder.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

_MAGIC = re.compile(r"[*?[]")
_log = logging.getLogger("hired_gguf")


def find_pictures(where: str | os.PathLike[str]) -> list[str]:
    """The pictures in a folder, or the files that a name or a glob names, in name order.

    In a folder, names that begin with a dot and names without one of SUFFIXES are left alone, and so are its
    folders. A name that is there is no glob. A folder that a glob names gives its pictures; "**" names a
    folder and all folders below it, each once, links to folders too. Broken links are named: their error
    says what is wrong. A folder that cannot be read is logged. Raises InputError if nothing is left.
    """
    where = given_path(where)
    found: Iterable[str]
    if os.path.isdir(where):
        found = _pictures_in(where, _names(where))
    elif os.path.lexists(where):
        found = [where]
    else:
        found = sorted(
            path
            for named in _expand(where)
            for path in (_pictures_in(named) if os.path.isdir(named or ".") else [named])
        )
    if pictures := once(found):
        return pictures
    raise InputError(
        f"no pictures in {where!r}; a folder must hold files of {', '.join(SUFFIXES)}{_hint(where)}"
    )


def once(paths: Iterable[str]) -> list[str]:
    """The paths without those that name one file of one folder again, by whichever names of the folder."""
    folders: dict[str, str] = {}
    found: dict[tuple[str, str], str] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.normcase(os.path.realpath(folder))
        found.setdefault((folders[folder], os.path.normcase(name)), path)
    return list(found.values())


def _hint(where: str) -> str:
    if where.lower().startswith(("http://", "https://", "data:")):
        return "; URLs are read as images of tasks (--input)"
    if os.path.isdir(where) and any(os.path.isdir(os.path.join(where, name)) for name in _names(where)):
        return f"; {os.path.join(where, '**')!r} names the folders in it, too"
    return "" if os.path.isdir(where) or _MAGIC.search(where) else "; there is nothing of that name"


def _pictures_in(folder: str, names: Iterable[str] | None = None) -> list[str]:
    shown = (name for name in (_entries(folder) if names is None else names) if not name.startswith("."))
    paths = (os.path.join(folder, name) for name in shown if name.lower().endswith(SUFFIXES))
    return [path for path in paths if not os.path.isdir(path)]


def _names(folder: str) -> list[str]:
    """Raises InputError for a folder that cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"the folder {folder!r} cannot be read: {error.strerror}") from None


def _entries(folder: str) -> list[str]:
    """The same among others: a folder that cannot be read is logged and left out."""
    try:
        return _names(folder or ".")
    except InputError as error:
        _log.warning("%s; it is left out", error)
        return []


def _expand(pattern: str) -> Iterator[str]:
    """What a glob names, part by part; a part that is there by its very name is no pattern."""
    folder, part = os.path.split(pattern)
    if not _MAGIC.search(pattern) or os.path.lexists(pattern):
        yield from [pattern] if os.path.lexists(pattern) else []
        return
    for parent in [folder] if folder in ("", pattern) else _expand(folder):
        if parent and not os.path.isdir(parent):
            continue
        if part == "**":
            yield from _folders_in(parent)
        else:
            yield from _matches(parent, part)


def _matches(folder: str, part: str) -> list[str]:
    if not _MAGIC.search(part) or os.path.lexists(os.path.join(folder, part)):
        path = os.path.join(folder, part)
        return [path] if os.path.lexists(path) else []
    shown = [name for name in _entries(folder) if part.startswith(".") or not name.startswith(".")]
    return [os.path.join(folder, name) for name in fnmatch.filter(shown, part)]


def _folders_in(top: str) -> Iterator[str]:
    """A folder and those below it, each once under its first name: links may lead round in circles."""
    seen = {_identity(str(above)) for above in Path(os.path.realpath(top)).parents}  # no link leads out of it
    left = [top]
    while left:
        folder = left.pop()
        if (identity := _identity(folder)) in seen:
            continue
        seen.add(identity)
        yield folder
        inside = (os.path.join(folder, name) for name in _entries(folder) if not name.startswith("."))
        left += sorted(
            filter(os.path.isdir, inside), key=lambda path: (os.path.islink(path), path), reverse=True
        )


def _identity(folder: str) -> tuple[int, int]:
    there = os.stat(folder or ".")
    return there.st_dev, there.st_ino
