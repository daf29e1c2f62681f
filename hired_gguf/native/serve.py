"""The child's side: it has one worker, answers the parent's requests, and does not outlive the parent."""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

from ..errors import HiredError
from .log import NativeLog
from .pipe import pack, read_packed

#: Tells the parent how far a request is.
Note = Callable[..., None]

OUT_OF_MEMORY = 78  # exit code: memory ran out where Python could still tell
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Charge:
    """What a child is for. ``target`` is "module:class": an instance gets a `Note`, and serves requests.

    ``parent`` is the parent's process number. ``verbose`` shows llama.cpp's log. ``memory_limit`` is in
    bytes.
    """

    target: str
    parent: int
    verbose: bool = False
    memory_limit: int | None = None


def serve() -> None:
    """Answer requests ``(method, arguments)`` until the parent ends. What libraries print goes to stderr."""
    requests, replies = _take_streams()
    charge: Charge = pickle.loads(read_packed(requests) or _end())
    _die_with(charge.parent)
    _limit(charge.memory_limit)
    send = _sender(replies)
    logging.getLogger().addHandler(_Forward(send))
    with NativeLog() as log:
        log.verbose = charge.verbose
        module, _, name = charge.target.partition(":")
        worker = getattr(import_module(module), name)(lambda *said: send("note", said))
        for request in _requests(requests):
            send(*_reply(worker, request, log))


def _take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The pipe's two ends, where nothing that a library prints or starts gets at them."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return streams


def _reply(worker: Any, request: bytes, log: NativeLog) -> tuple[str, Any]:
    """A result, or an error that the parent can raise."""
    try:
        do, arguments = pickle.loads(request)
        result = getattr(worker, do)(**arguments)
        pack(result)
        return "result", result
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # who knows what is left of it
    except Exception as error:
        planned = isinstance(error, (HiredError, OSError)) and bool(str(error))
        text = log.describe(error, planned)
        return "error", _as_sent(error, text) if planned else HiredError(text)


def _as_sent(error: Exception, text: str) -> Exception:
    if isinstance(error, HiredError):
        error.args = (text,)
    with suppress(Exception):
        pack(error)
        return error
    return HiredError(text)


def _sender(stream: IO[bytes]) -> Callable[[str, Any], None]:
    lock = threading.Lock()

    def send(kind: str, content: Any) -> None:
        with lock:
            stream.write(pack((kind, content)))
            stream.flush()

    return send


class _Forward(logging.Handler):
    """Lets the parent's log have what this process logs."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        super().__init__(logging.WARNING)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send it."""
        self._send("log", (record.name, record.levelno, record.getMessage()))


def _requests(stream: IO[bytes]) -> Iterator[bytes]:
    """The requests. When they end the parent is gone, and then so is this process.

    Linux sees to that by itself (`_die_with`). Elsewhere a thread reads ahead, to notice it during work too.
    """
    if sys.platform == "linux":
        while (request := _next(stream)) is not None:
            yield request
        _end()
    found: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        while (request := _next(stream)) is not None:
            found.put(request)
        _end()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield found.get()


def _next(stream: IO[bytes]) -> bytes | None:
    try:
        return read_packed(stream)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _end() -> Any:
    os._exit(0)


def _die_with(parent: int) -> None:
    """Have the system kill this process with its parent, also where it is stopped or stuck in native code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            _end()


def _limit(memory: int | None) -> None:
    """No core files, which are as large as the model; and no more memory than allowed, mapped files aside."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
