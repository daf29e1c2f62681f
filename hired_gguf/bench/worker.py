"""What a child process of the benchmark does: it loads one engine and measures its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from ..errors import HiredError
from ..native.serve import Note
from .engine import Engine, EngineSettings
from .engine_hired import OurEngine
from .engine_stock import PlainStockEngine, StockEngine
from .neighbours import Neighbours
from .plan import OURS, PLAIN, STOCK
from .probe import Probe, run_probe

ENGINES: dict[str, Callable[[EngineSettings], Engine]] = {
    STOCK: StockEngine,
    PLAIN: PlainStockEngine,
    OURS: OurEngine,
}
TARGET = f"{__name__}:Worker"


class Worker:
    """Serves requests. There is one engine, once it is loaded."""

    def __init__(self, note: Note) -> None:
        self._engine: Engine | None = None

    def load(self, engine: str, settings: EngineSettings) -> None:
        """Load an engine."""
        self._engine = ENGINES[engine](settings)

    def ask(self, **question: Any) -> dict[str, Any]:
        """Answer a question and return the `Measurement`, with the cores that others used meanwhile."""
        if self._engine is None:
            raise HiredError("[bench] nothing is loaded")
        others = Neighbours()
        return {**asdict(self._engine.ask(**question)), "others_cores": others.cores()}

    def probe(self, settings: EngineSettings) -> Probe:
        """Probe a pair."""
        others = Neighbours()
        return replace(run_probe(settings), others_cores=others.cores())
