"""How far a call is, and how long its stages took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Gets the stage ("encode" in images, "prefill" in tokens), how much of it is done and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass
class Timings:
    """Seconds by stage. ``ttft_s`` runs from the call to the first token, ``total_s`` to the last.

    Text and images are evaluated together. Such a batch's seconds are shared out by positions.
    """

    encode_s: float = 0.0
    select_s: float = 0.0
    prefill_visual_s: float = 0.0
    prefill_text_s: float = 0.0
    ttft_s: float = 0.0
    total_s: float = 0.0
