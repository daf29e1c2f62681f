"""The type stub of the native module is what nanobind makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from paths import ROOT

import hired_gguf

STUB = ROOT / "hired_gguf" / "_core.pyi"
REFRESH = "python -m nanobind.stubgen -m hired_gguf._core -o hired_gguf/_core.pyi"


def test_the_stub_is_up_to_date(tmp_path):
    made = tmp_path / "_core.pyi"
    command = [sys.executable, *REFRESH.split()[1:-1], str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert made.read_text() == STUB.read_text(), f"hired_gguf/_core.pyi is out of date; run: {REFRESH}"


def test_types_are_shipped():
    assert (Path(hired_gguf.__file__).parent / "py.typed").exists()
