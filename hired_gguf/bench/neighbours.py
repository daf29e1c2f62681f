"""How much of the processor others used while something was measured, which falsifies it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BUSY_CORES = 0.2  # from here on seconds are too many
SHORTEST = 0.2  # seconds that can be told by: the system counts in hundredths on each core


class Neighbours:
    """Starts when made, and tells how many cores others have used on average since."""

    def __init__(self) -> None:
        self._before = _now()

    def cores(self) -> float | None:
        """Of the cores that this process may use; what a hypervisor took away counts. None if nobody
        tells, or too soon to tell."""
        before, after = self._before, _now()
        if before is None or after is None:
            return None
        wall, own, used = (then - now for then, now in zip(after, before, strict=True))
        return round(max(used - own, 0.0) / wall, 3) if wall >= SHORTEST else None


def remark(runs: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on the runs during which the machine was busy; empty if it never was known to be."""
    others = [run["others_cores"] for run in runs if run["others_cores"] is not None]
    busy = [cores for cores in others if cores >= BUSY_CORES]
    if not busy:
        return ""
    return (
        f"BUSY: other processes used up to {max(busy):.1f} cores during {len(busy)} of {len(others)} "
        "measurements: their seconds are too many, and vary. Measure again on a quiet machine"
    )


def _now() -> tuple[float, float, float] | None:
    """Seconds on the clock, of this process on all cores, and of everybody on the cores that it may use."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        rows = [line.split()[1:9] for line in lines if line.split(maxsplit=1)[0] in mine]
        tick = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    idle = (3, 4)  # idle, and idle until the disk answers
    ticks = sum(int(n) for row in rows for place, n in enumerate(row) if place not in idle)
    return time.perf_counter(), time.process_time(), ticks / tick
