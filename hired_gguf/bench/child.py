"""The parent's side of a child process of the benchmark."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..closing import Closing
from ..errors import HiredError
from ..native.amx_crash import signal_name

Tick = Callable[[float], None]
TICK_S = 0.5

# Finds what the parent finds, and leaves Ctrl-C to the parent, who then kills it.
_START = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
verbose, *sys.path[:] = sys.argv[1:]
from hired_gguf.bench.worker import main
main(verbose == "verbose")
"""


class ChildError(HiredError):
    """A child process died or reported an error."""


class Child(Closing):
    """A process that runs `worker`. ``verbose`` shows llama.cpp's log."""

    def __init__(self, verbose: bool = False) -> None:
        self._log = None if verbose else tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, "verbose" if verbose else "quiet", *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def call(self, do: str, tick: Tick = lambda _: None, **arguments: Any) -> Any:
        """Have the worker do something and return its result; ``tick`` gets the seconds that have passed.

        Raises ChildError.
        """
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        except OSError:  # it is dead already
            raise ChildError(self._last_words()) from None
        reply = json.loads(self._wait(tick) or "null")
        if reply is None:
            raise ChildError(self._last_words())
        if "error" in reply:
            raise ChildError(reply["error"])
        return reply["result"]

    def _wait(self, tick: Tick) -> str:
        """The next line; "" if there will be none."""
        started = time.monotonic()
        while True:
            try:
                return self._lines.get(timeout=TICK_S)
            except queue.Empty:
                tick(time.monotonic() - started)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _last_words(self) -> str:
        status = self._process.wait()
        how = signal_name(-status) if status < 0 else f"exit code {status}"
        said = []
        if self._log is not None:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
        return f"the child process died ({how})" + (f": {said[-1]}" if said else "")

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):  # a request that nobody reads any more
                    stream.close()
