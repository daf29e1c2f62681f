"""Pictures in folders."""

from __future__ import annotations

import glob
import os

from ..errors import InputError

#: What counts as a picture in a folder.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def find_pictures(where: str | os.PathLike[str]) -> list[str]:
    """The pictures in a folder, or the files that a name or a glob names, in name order.

    In a folder, names that begin with a dot and names without one of SUFFIXES are left alone. Raises
    InputError if nothing is left.
    """
    where = os.fspath(where)
    if os.path.isdir(where):
        names = sorted(name for name in os.listdir(where) if not name.startswith("."))
        found = [os.path.join(where, name) for name in names if name.lower().endswith(SUFFIXES)]
    else:
        found = [where] if os.path.exists(where) else sorted(glob.glob(where, recursive=True))
    found = [path for path in found if os.path.isfile(path)]
    if not found:
        raise InputError(f"no pictures in {where!r}; a folder must hold files of {', '.join(SUFFIXES)}")
    return found
