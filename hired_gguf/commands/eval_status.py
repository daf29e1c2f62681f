"""How far ``hired-gguf eval`` is: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from ..console.terminal import RunStatus, StatusLine, duration

PAUSE = 30.0  # seconds between two lines where nobody watches


class EvalStatus(RunStatus):
    """Shows how far an evaluation is."""

    def __init__(self, line: StatusLine, pause: float = PAUSE) -> None:
        super().__init__(line, pause, "the first answer")
        self._started = self._said = time.monotonic()  # a short run says nothing

    def note(self, done: int, total: int) -> None:
        """Take the number of answers."""
        left = (time.monotonic() - self._started) / done * (total - done)
        self.tell(f"{done} of {total} answers, {duration(left)} left", between=done < total)
