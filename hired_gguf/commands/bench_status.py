"""What a benchmark shows while it runs: a line an answer, and on a terminal the current step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..bench.plan import Case, case_label
from ..bench.predict import plan_seconds
from ..bench.probe import Probe
from ..bench.runner import Failure
from ..console.terminal import StatusLine, duration, say
from ..native.watch import Tick


class BenchStatus:
    """Shows what is being done and, once `start` was called, how long all of it will still take."""

    def __init__(self, status: StatusLine) -> None:
        self._status = status
        self._ends: float | None = None
        self._answers = self._done = 0

    def start(self, plan: Sequence[Case], repetitions: int, probes: Mapping[str, Probe]) -> None:
        """Announce the benchmark."""
        seconds = plan_seconds(probes, plan, repetitions)
        self._ends = time.monotonic() + seconds
        self._answers = repetitions * sum(len(case.tasks) for case in plan)
        say(f"{self._answers} answers to measure, which will take about {duration(seconds)}")

    def __call__(self, doing: str) -> Tick:
        """Announce a step; the function returned takes the seconds that have passed in it."""

        def tick(seconds: float) -> None:
            left = "" if self._ends is None else f", about {duration(self._ends - time.monotonic())} to go"
            self._status.show(f"{doing}: {seconds:.0f} s{left}")

        tick(0)
        return tick

    def note(self, result: dict[str, Any] | Failure) -> None:
        """Say what came out."""
        self._status.clear()
        if isinstance(result, Failure):
            label = case_label(result.type, result.engine, result.budget)
            say(f"error: {label}, {result.doing}: {result.reason}; going on without it")
            return
        self._done += 1
        say(
            f"{self._done} of {self._answers}: "
            f"{case_label(result['type'], result['engine'], result['budget'])}, question "
            f"{result['question']}, image {result['image']}: first token after {result['ttft_s']:.2f} s, "
            f"answer after {result['total_s']:.2f} s"
        )
