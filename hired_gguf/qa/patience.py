"""How long a task may take before it counts as hanging."""

from __future__ import annotations

FIRST = 3600.0  # seconds: nothing is known yet
LEAST = 600.0
FACTOR = 20  # a busy neighbour makes a CPU so slow


class Patience:
    """Knows how long tasks and loading may take: ``limit`` seconds, or by what they took so far.

    A limit that is derived is FACTOR times the longest of them, and as many times longer as a task may write
    more tokens than any before; LEAST if that is less, FIRST for the first task.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._longest: float | None = None
        self._loading: float | None = None
        self._tokens = 1

    def limit(self, max_tokens: int) -> float:
        """The seconds that a task may take."""
        if self._limit is not None:
            return self._limit
        if self._longest is None:
            return FIRST
        return max(LEAST, FACTOR * self._longest) * max(1.0, max_tokens / self._tokens)

    def note(self, seconds: float, max_tokens: int) -> None:
        """Take what a task took."""
        self._longest = max(seconds, self._longest or 0.0)
        self._tokens = max(max_tokens, self._tokens)

    def loading_limit(self) -> float | None:
        """The seconds that loading may take, or None: the first time it is unknown what that needs."""
        return None if self._loading is None else max(LEAST, FACTOR * self._loading)

    def note_loading(self, seconds: float) -> None:
        """Take what loading took."""
        self._loading = max(seconds, self._loading or 0.0)
