"""Cases that may kill: each runs in a child process, whose death is that case's outcome and no other's."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

WORKER = Path(__file__).with_name("case_worker.py")
SECONDS = 30


class CasePool:
    """One child at a time. After a death or a hang the next case gets a new one."""

    def __init__(self):
        self.child = None
        self.started = 0

    def run(self, case):
        """The outcome of a case: what the worker says of it, {"died": signal} or {"hung": seconds}."""
        child = self.child or self._start()
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps(case).encode() + b"\n")
            child.stdin.flush()
        said = self._read()
        if said is not None:
            return said
        hung = not self._ended(child)
        self.close()
        if hung:
            return {"hung": SECONDS}
        return {"died": signal.Signals(-child.returncode).name if child.returncode < 0 else child.returncode}

    def close(self):
        """End the child, if there is one."""
        if self.child:
            self.child.kill()
            with suppress(BrokenPipeError):
                self.child.communicate()
            self.child = None

    def _start(self):
        support = str(WORKER.parent)
        path = os.pathsep.join(filter(None, (support, os.environ.get("PYTHONPATH"))))
        self.child = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "GGML_NO_BACKTRACE": "1"},
        )
        self.started += 1
        assert self._read() == {"ready": True}
        return self.child

    def _read(self):
        """A line of the child's, None if it dies or hangs before it."""
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.child.stdout], [], [], SECONDS)[0]:
                return None
            more = os.read(self.child.stdout.fileno(), 1 << 16)
            if not more:
                return None
            line += more
        return json.loads(line)

    @staticmethod
    def _ended(child):
        with suppress(subprocess.TimeoutExpired):
            child.wait(5)
        return child.returncode is not None
