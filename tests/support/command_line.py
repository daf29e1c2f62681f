"""The command as its users start it: here, in a process, in a terminal."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
from golden_pair import MMPROJ, TEXT, photo

COFFEE, ROCKET = str(photo("coffee")), str(photo("rocket"))
# One thread each: waiting threads spin in ggml, which is slow where something else runs too.
VISION = ("--mmproj", str(MMPROJ), "--threads", "1")
PAIR = ("--model", str(TEXT), *VISION)
SHORT = (*PAIR, "--max-tokens", "4")
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "hired-gguf")

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def feed(monkeypatch, data):
    """Let standard input hold these bytes."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def start(*argv, **streams):
    """The installed command, in a process of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([SCRIPT, *argv], **{**pipes, **streams})


def finish(process):
    """Exit code, standard output as bytes, standard error as text."""
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err.decode()


class Terminal:
    """A command that runs in a terminal of its own."""

    def __init__(self, *argv, **streams):
        self.main, side = os.openpty()
        self.process = start(*argv, **{**dict.fromkeys(("stdin", "stdout", "stderr"), side), **streams})
        os.close(side)
        self.shown = ""

    def read(self, until=None):
        """What it shows, to a text or to the end."""
        with suppress(OSError):  # so Linux says that nobody has the other side
            while until is None or until not in self.shown:
                if not select.select([self.main], [], [], 30)[0]:
                    pytest.fail(f"only {self.shown!r}")
                self.shown += os.read(self.main, 4096).decode(errors="replace")
        seen, _, self.shown = self.shown.partition(until or "\0")
        return seen

    def type(self, text):
        os.write(self.main, text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.main)
