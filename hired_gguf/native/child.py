"""The parent's side of a child process, which crashes, hangs and runs out of memory in our place."""

from __future__ import annotations

import logging
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from ..closing import Closing
from .child_errors import ChildDiedError, ChildError
from .pipe import pack, read_packed
from .serve import Charge
from .watch import Tick, Watch

SMALL = 4096  # bytes that an empty pipe takes at once, on any system
LAST_WORDS_S = 10.0  # that a process which closed its pipe may take to end

# Finds what the parent finds, and leaves the polite signals to the parent, who then kills it.
_START = """
import signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
sys.path[:] = sys.argv[1:]
from hired_gguf.native.serve import serve
serve()
"""


class Child(Closing):
    """A process that has a worker: `Charge` says which, and what ``options`` are.

    It ends with this process, however that ends. Raises OSError if it cannot be started.
    """

    def __init__(self, target: str, **options: Any) -> None:
        charge = Charge(target, os.getpid(), **options)
        self._log = None if charge.verbose else tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        started: Future[subprocess.Popen[bytes]] = Future()
        self._threads = [
            threading.Thread(target=work, args=(started,), daemon=True)
            for work in (self._listen, self._write)
        ]
        for thread in self._threads:
            thread.start()
        try:
            self._process = started.result()
        except BaseException:  # an interrupt: it may start only now
            started.add_done_callback(_kill)
            if self._log is not None:
                self._log.close()
            raise
        self._send(pack(charge))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def call(
        self,
        do: str,
        tick: Tick = lambda _: None,
        *,
        limit: float | None = None,
        on_note: Callable[..., None] = lambda *_: None,
        **arguments: Any,
    ) -> Any:
        """Have the worker do something and return its result.

        ``tick`` hears of the seconds that pass, ``on_note`` of what the worker notes. Raises ChildError,
        ChildDiedError, after ``limit`` seconds ChildTimeoutError.
        """
        self.send(do, **arguments)
        return self.receive(tick, limit=limit, on_note=on_note)

    def send(self, do: str, **arguments: Any) -> None:
        """Have the worker do something; `receive` waits for it."""
        self._send(pack((do, arguments)))

    def _send(self, request: bytes) -> None:
        """Write what an empty pipe takes at once; leave to `_write` what may have to wait for a reader."""
        if len(request) > SMALL:
            self._requests.put(request)
            return
        with suppress(OSError, ValueError):  # it is dead: whoever waits for a reply hears of it
            assert self._process.stdin is not None
            self._process.stdin.write(request)
            self._process.stdin.flush()

    def receive(
        self,
        tick: Tick = lambda _: None,
        *,
        limit: float | None = None,
        on_note: Callable[..., None] = lambda *_: None,
    ) -> Any:
        """The result of what was sent; see `call`."""
        watch = Watch(tick, limit)
        while True:
            with suppress(queue.Empty):
                reply = self._replies.get(timeout=watch.pause())
                if reply is None:
                    raise self._death()
                kind, content = pickle.loads(reply)
                if kind == "result":
                    return content
                _hear(kind, content, on_note)
            watch.look()

    def _listen(self, started: Future[subprocess.Popen[bytes]]) -> None:
        """Start the process and hear it to its end. Linux kills it when the thread that started it ends."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={"GGML_NO_BACKTRACE": "1", **os.environ},  # else a debugger would hold its pipes
                start_new_session=True,  # so that a terminal's Ctrl-C and Ctrl-Z are the parent's alone
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(process)
        assert process.stdout is not None
        try:
            while (reply := read_packed(process.stdout)) is not None:
                self._replies.put(reply)
        finally:  # also where there is no memory for a reply
            self._replies.put(None)

    def _write(self, started: Future[subprocess.Popen[bytes]]) -> None:
        """Write large requests: the pipe does not take them where the process hangs or is stopped."""
        with suppress(OSError, ValueError):  # it is dead or closed: whoever waits for a reply hears of it
            pipe = started.result().stdin
            while pipe is not None and (request := self._requests.get()) is not None:
                pipe.write(request)
                pipe.flush()

    def _death(self) -> ChildDiedError:
        self._replies.put(None)  # for whoever asks again
        try:
            status = self._process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        said = []
        if self._log is not None:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
        return ChildDiedError(status, said[-1] if said else "")

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._requests.put(None)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):  # a request that nobody reads any more
                    stream.close()


def _kill(started: Future[subprocess.Popen[bytes]]) -> None:
    if started.exception() is None:
        started.result().kill()


def _hear(kind: str, content: Any, on_note: Callable[..., None]) -> None:
    if kind == "error":
        raise ChildError(str(content), content)
    if kind == "note":
        on_note(*content)
    else:
        name, level, text = content
        logging.getLogger(name).log(level, text)
