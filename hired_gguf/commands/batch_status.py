"""How far ``hired-gguf qa`` is: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from ..qa.progress import BatchProgress
from .terminal import StatusLine, is_terminal, say

PAUSE = 10.0  # seconds between two lines where nobody watches


class BatchStatus:
    """Hears from a run. ``stage`` is for the model's own progress, `note` for the run's."""

    def __init__(self, line: StatusLine) -> None:
        self._line = line
        self._watched = is_terminal(sys.stderr)
        self._progress: BatchProgress | None = None
        self._said = 0.0

    def stage(self, stage: str, done: int, total: int) -> None:
        """Show what is being done for the current task."""
        doing = f"encoding {done + 1}/{total}" if stage == "encode" else f"{stage} {done}/{total}"
        self._show(f"; {doing}")

    def note(self, progress: BatchProgress) -> None:
        """Take the counts of the run."""
        self._progress = progress
        self._show("")
        between = progress.task is None and progress.done < progress.total
        if not self._watched and between and time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            say(in_words(progress))

    def finish(self, output: str | None) -> None:
        """Say what came out."""
        self._line.clear()
        if (progress := self._progress) is not None:
            say(f"done: {in_words(progress)}" + (f"; records in {output}" if output else ""))

    def _show(self, doing: str) -> None:
        if self._progress is not None:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be rewritten
            self._line.show((in_words(self._progress) + doing)[:width])


def in_words(progress: BatchProgress) -> str:
    """The counts, as far as there are any, and the time left."""
    parts = [
        f"{progress.done} of {progress.total} questions",
        f"{progress.images_done} of {progress.images} images",
    ]
    if progress.skipped:
        parts[0] += f" ({progress.skipped} from before)"
    if progress.errors:
        parts.append("1 error" if progress.errors == 1 else f"{progress.errors} errors")
    if progress.visual_tokens_full:
        share = 100 * progress.visual_tokens / progress.visual_tokens_full
        parts.append(f"{share:.0f} % of visual tokens")
    each, left = progress.seconds_per_answer, progress.seconds_left
    if each is not None and left is not None:
        parts.append(f"{each:.1f} s each")
        if progress.done < progress.total:
            parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time to be waited: 8 s, 12 min, 3 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
