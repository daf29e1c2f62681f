"""The environment that libgomp is loaded in: prepared, unless the user has decided, and left as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from hired_gguf.native import waiting
from hired_gguf.native.cpu import built_features

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or "OPENMP" not in built_features(), reason="libgomp is looked for in /proc"
)

_TELL = """
import json, os
{before}
import hired_gguf
from dataclasses import asdict
from hired_gguf.native import waiting
child = {{name: os.environ.get(name) for name in waiting.DECIDING}}
print(json.dumps([asdict(waiting.in_force), child]))
"""


def told(before="", **variables):
    """What a new process says: what is in force, its variables afterwards, and what libgomp has read."""
    environment = {name: value for name, value in os.environ.items() if name not in waiting.DECIDING}
    done = subprocess.run(
        [sys.executable, "-c", _TELL.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "OMP_DISPLAY_ENV": "verbose", **variables},
    )
    spins = next(line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line)
    return (*json.loads(done.stdout.splitlines()[-1]), spins.split("'")[1])


def test_the_variable_is_set_for_libgomp_alone():
    in_force, variables, read = told()
    assert (in_force["variable"], in_force["value"], in_force["set_by"]) == (
        *("GOMP_SPINCOUNT", "1000", "hired-gguf"),
    )
    assert "libgomp" in in_force["libgomp"]
    assert read == "1000"
    assert variables == {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None}


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("GOMP_SPINCOUNT", "77", "77"),
        ("GOMP_SPINCOUNT", "infinity", "18446744073709551615"),
        ("OMP_WAIT_POLICY", "passive", "0"),
        ("OMP_WAIT_POLICY", "active", "30000000000"),
    ],
)
def test_what_the_user_set_stays(name, value, read):
    in_force, variables, spins = told(**{name: value})
    assert (in_force["variable"], in_force["value"], in_force["set_by"]) == (name, value, "user")
    assert spins == read
    assert variables[name] == value


@pytest.mark.parametrize("before", ["import llama_cpp", "import ctypes; ctypes.CDLL('libgomp.so.1')"])
def test_a_libgomp_that_was_there_before(before):
    in_force, variables, read = told(before)
    assert (in_force["value"], in_force["set_by"]) == ("", "nobody")
    assert read == "300000"
    assert variables == {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None}
