"""How ggml's threads wait for one another, which decides what a busy machine costs.

They meet after every operation. libgomp lets those who came first spin there, for long; where something else
computes on the same cores, they take the time of the one that they wait for. GOMP_SPINCOUNT shortens that. It
is read when libgomp is loaded, so it stands in the environment for that moment, unless the user has decided.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "GOMP_SPINCOUNT"
SPINS = "1000"  # some microseconds: as quick as libgomp's own 300000 on a quiet machine
DECIDING = (VARIABLE, "OMP_WAIT_POLICY")  # libgomp looks at the second where the first is not set


@dataclass(frozen=True)
class Waiting:
    """What is in force: a variable, its value, and ``set_by``, which is "user", "hired-gguf" or "nobody".

    Nobody it is where others had loaded ``libgomp`` before. ``libgomp`` names the file in use, and is empty
    where llama.cpp uses none or the system does not tell.
    """

    variable: str
    value: str
    set_by: str
    libgomp: str


in_force = Waiting(VARIABLE, "", "nobody", "")


@contextmanager
def prepared() -> Iterator[None]:
    """Load libgomp within. The environment is as before in the end: child processes decide for themselves."""
    global in_force  # noqa: PLW0603  libgomp is loaded once
    users = next((name for name in DECIDING if name in os.environ), None)
    before = _mapped()
    if users is None:
        os.environ[VARIABLE] = SPINS
    try:
        yield
    finally:
        if users is None:
            del os.environ[VARIABLE]
    new = _mapped() - before
    libgomp = ", ".join(sorted(new or before))
    if users is not None:
        in_force = Waiting(users, os.environ[users], "user", libgomp)
    elif new or not before:
        in_force = Waiting(VARIABLE, SPINS, "hired-gguf", libgomp)
    else:
        in_force = Waiting(VARIABLE, "", "nobody", libgomp)


def _mapped() -> set[str]:
    """The files of libgomp in this process; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    paths = (line.split(maxsplit=5)[5] for line in lines if "libgomp" in line)
    return {path for path in paths if Path(path).name.startswith("libgomp")}
