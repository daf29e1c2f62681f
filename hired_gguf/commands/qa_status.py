"""How far ``hired-gguf qa`` is: a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

from ..console.terminal import RunStatus, StatusLine, duration, say
from ..qa.progress import BatchProgress

PAUSE = 10.0  # seconds between two lines where nobody watches


class BatchStatus(RunStatus):
    """Shows how far a run is."""

    def __init__(self, line: StatusLine) -> None:
        super().__init__(line, PAUSE)
        self._progress: BatchProgress | None = None

    def note(self, progress: BatchProgress) -> None:
        """Take the counts of the run."""
        self._progress = progress
        self.tell(in_words(progress), between=progress.task is None and progress.done < progress.total)

    def finish(self, output: str | None) -> None:
        """Say what came out."""
        self._line.clear()
        if (progress := self._progress) is not None:
            say(f"done: {in_words(progress)}" + (f"; records in {output}" if output else ""))


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
