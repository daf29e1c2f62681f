"""How long a child process is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from .child_errors import ChildTimeoutError

#: Gets the seconds that have passed.
Tick = Callable[[float], None]
TICK_S = 0.5


class Watch:
    """Counts the seconds of waiting. Those in which this process itself was stopped do not count."""

    def __init__(self, tick: Tick, limit: float | None) -> None:
        self._tick, self._limit = tick, limit
        self._waited, self._looked = 0.0, time.monotonic()

    def pause(self) -> float:
        """How long to wait before the next look."""
        return TICK_S if self._limit is None else max(min(TICK_S, self._limit - self._waited), 0.001)

    def look(self) -> None:
        """Tell how long it has been. Raises ChildTimeoutError."""
        now = time.monotonic()
        self._waited += min(now - self._looked, 2 * TICK_S)
        self._looked = now
        self._tick(self._waited)
        if self._limit is not None and self._waited >= self._limit:
            raise ChildTimeoutError(f"the child process took longer than {self._limit:g} s")
