"""How far a run is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .record import Record
from .task import Task


@dataclass
class BatchProgress:
    """Counts of a run. ``done`` of ``total`` tasks have records, ``skipped`` of them from an earlier run.

    ``images_done`` of ``images``, and ``errors`` of the tasks that were asked now. ``visual_tokens`` of
    ``visual_tokens_full`` rows were kept, summed over the answers of this run. ``task`` is the one that is
    being asked, or None where one has just ended.
    """

    total: int
    images: int
    done: int = 0
    skipped: int = 0
    images_done: int = 0
    errors: int = 0
    visual_tokens: int = 0
    visual_tokens_full: int = 0
    task: Task | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds_per_answer(self) -> float | None:
        """Mean of this run, its pictures included; None before the first answer."""
        asked = self.done - self.skipped
        return (time.monotonic() - self.started) / asked if asked else None

    @property
    def seconds_left(self) -> float | None:
        """What the rest takes if it goes on like this; None before the first answer."""
        each = self.seconds_per_answer
        return None if each is None else each * (self.total - self.done)

    def skip(self) -> None:
        """Count a task that was done before."""
        self.done += 1
        self.skipped += 1

    def add(self, record: Record) -> None:
        """Count a task that was done now."""
        self.done += 1
        self.task = None
        self.errors += record["status"] != "ok"
        self.visual_tokens += record["visual_tokens"] or 0
        self.visual_tokens_full += record["visual_tokens_full"] or 0


#: Is called when a task begins and when its record is there.
OnProgress = Callable[[BatchProgress], None]
