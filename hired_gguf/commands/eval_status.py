"""How far ``hired-gguf eval`` is: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from .batch_status import duration
from .terminal import StatusLine, is_terminal, say

PAUSE = 30.0  # seconds between two lines where nobody watches


class EvalStatus:
    """Hears from an evaluation. ``stage`` is for the model's own progress, `note` for the answers."""

    def __init__(self, line: StatusLine) -> None:
        self._line = line
        self._watched = is_terminal(sys.stderr)
        self._started = self._said = time.monotonic()
        self._text = "the first answer"

    def stage(self, stage: str, done: int, total: int) -> None:
        """Show what is being done for the current question."""
        self._show("; encoding" if stage == "encode" else f"; {stage} {done}/{total}")

    def note(self, done: int, total: int) -> None:
        """Take the number of answers."""
        now = time.monotonic()
        left = (now - self._started) / done * (total - done)
        self._text = f"{done} of {total} answers, {duration(left)} left"
        self._show("")
        if not self._watched and done < total and now - self._said >= PAUSE:
            self._said = now
            say(self._text)

    def _show(self, doing: str) -> None:
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be rewritten
        self._line.show((self._text + doing)[:width])
