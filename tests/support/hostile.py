"""Values that no caller should give: their ``repr`` raises, is endless, or cannot be printed."""

from __future__ import annotations

import numpy as np


class Unshown:
    """Raises in ``repr`` and ``str``."""

    def __repr__(self) -> str:
        raise RuntimeError("no words for it")


def values() -> dict[str, object]:
    """One of each kind, by a name for the test."""
    cycle: list[object] = []
    cycle.append(cycle)
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    return {
        "5001 digits": 10**5000,
        "-5001 digits": -(10**5000),
        "unshown": Unshown(),
        "list of unshown": [Unshown()],
        "megabyte": "x" * 10**6,
        "lone surrogate": "\ud800",
        "cycle": cycle,
        "deep": deep,
        "object": object(),
        "infinity": float("inf"),
        "empty set": set(),
        "array": np.zeros((2, 2, 3), np.uint8),
    }


VALUES = values()
