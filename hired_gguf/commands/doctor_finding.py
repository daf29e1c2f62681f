"""What ``hired-gguf doctor`` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something found, and the way out of it."""

    what: str
    fix: str
