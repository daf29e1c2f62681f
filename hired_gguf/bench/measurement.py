"""What is measured of one answer, alike for both engines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CACHE_ITEM = 2  # bytes: keys and values are float16 unless one asks for something else


@dataclass(frozen=True)
class Measurement:
    """An answer's cost. Seconds run on the caller's clock; a stage that cannot be timed alone is None.

    ``peak_rss_bytes`` is the most memory of the process so far, mapped files included; None where the system
    does not say. ``token_s`` is a token of the answer after the first. ``tokens_per_s`` counts as the HiRED
    paper does: generated tokens over ``total_s``, which includes encoding and prefill. ``kernel`` is what
    multiplies the language model's matrices, see `text_kernel`.
    """

    ttft_s: float
    encode_s: float
    encode_per_tile_s: float
    select_s: float
    prefill_visual_s: float
    prefill_text_s: float
    total_s: float
    token_s: float
    tokens_per_s: float
    peak_rss_bytes: int | None
    kv_visual_bytes: int
    visual_tokens: int
    visual_tokens_full: int
    partitions: int
    prompt_tokens: int
    completion_tokens: int
    n_ctx: int
    kernel: str


class StreamClock:
    """Starts when made, reads pieces of text, and keeps when the first and the last came."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.first_s = self.total_s = 0.0

    def read(self, pieces: Iterable[str]) -> None:
        """Read to the end."""
        for piece in pieces:
            if piece and not self.first_s:
                self.first_s = time.perf_counter() - self._started
        self.total_s = time.perf_counter() - self._started
        self.first_s = self.first_s or self.total_s

    def token_s(self, tokens: int) -> float:
        """Seconds of one of the tokens after the first."""
        return (self.total_s - self.first_s) / max(tokens - 1, 1)


def peak_rss() -> int | None:
    """The most memory that this process has had, in bytes."""
    if sys.platform == "win32":
        return None
    try:  # Linux passes the parent's ru_maxrss on to a child, but counts this one afresh
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource  # noqa: PLC0415  not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10


def kv_bytes_per_token(metadata: Mapping[str, str]) -> int:
    """Bytes of float16 keys and values that a token takes, from a GGUF file's metadata."""
    prefix = metadata["general.architecture"]

    def number(name: str, default: int = 0) -> int:
        return int(metadata.get(f"{prefix}.{name}", default))

    heads = number("attention.head_count")
    kv_heads = number("attention.head_count_kv", heads)
    length = number("embedding_length") // heads
    width = number("attention.key_length", length) + number("attention.value_length", length)
    return number("block_count") * kv_heads * width * CACHE_ITEM
