"""The child process: loads one engine and answers requests, one JSON line each, until its input ends."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import IO, Any

from ..errors import HiredError
from ..native.log import NativeLog
from .engine import Engine, EngineSettings
from .engine_hired import OurEngine
from .engine_stock import StockEngine
from .neighbours import Neighbours
from .probe import run_probe

ENGINES: dict[str, Callable[[EngineSettings], Engine]] = {"stock": StockEngine, "ours": OurEngine}


class Worker:
    """Serves requests. There is one engine, once it is loaded."""

    def __init__(self, log: NativeLog) -> None:
        self._log = log
        self._engine: Engine | None = None

    def load(self, engine: str, settings: dict[str, Any]) -> None:
        """Load an engine."""
        self._engine = ENGINES[engine](EngineSettings(**settings))

    def ask(self, **question: Any) -> dict[str, Any]:
        """Answer a question and return the `Measurement`, with the cores that others used meanwhile."""
        if self._engine is None:
            raise HiredError("[bench] nothing is loaded")
        others = Neighbours()
        return {**asdict(self._engine.ask(**question)), "others_cores": others.cores()}

    def probe(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The `Probe` of a pair."""
        others = Neighbours()
        return {**asdict(run_probe(EngineSettings(**settings))), "others_cores": others.cores()}

    def reply(self, line: str) -> dict[str, Any]:
        """The answer to a request ``{"do": method, ...arguments}``: a result, or an error's text."""
        request = json.loads(line)
        try:
            return {"result": getattr(self, request.pop("do"))(**request)}
        except Exception as error:
            planned = isinstance(error, (HiredError, OSError)) and bool(str(error))
            return {"error": self._log.describe(error, planned)}


def main(verbose: bool) -> None:
    """Serve the parent. Whatever libraries print goes to stderr, and llama.cpp's log too if ``verbose``."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with NativeLog() as log:
        log.verbose = verbose
        worker = Worker(log)
        for line in requests(sys.stdin):
            print(json.dumps(worker.reply(line)), file=answers, flush=True)


def requests(stream: IO[str]) -> Iterator[str]:
    """The lines of a stream. Its end means that the parent is gone; this process then ends at once."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield lines.get()
