"""A short probe of a model's speed: one tile, a few rows, a few tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..model import LlavaNext
from ..native.kernels import kernels_used
from ..native.llama import address, clear, synchronize
from ..native.load import core
from .engine import EngineSettings, warm_up
from .plan import QUESTIONS

PROBE_CONTEXT = 512
ROWS = (64, 256)
TOKENS = 4


@dataclass(frozen=True)
class Probe:
    """Seconds of one tile's encoding, of prefilling ``ROWS`` visual rows, of a prompt's text, of a token.

    ``text_tokens`` are those of the longest question's prompt, ``others_cores`` see `Neighbours.cores`.
    """

    tile_s: float
    rows_s: tuple[float, ...]
    text_s: float
    token_s: float
    text_tokens: int
    others_cores: float | None = None


def run_probe(settings: EngineSettings) -> Probe:
    """Load the pair and measure."""
    tile_s, rows = probe_tile(settings)
    with LlavaNext(
        settings.model,
        settings.mmproj,
        n_ctx=PROBE_CONTEXT,
        n_threads=settings.n_threads,
        n_gpu_layers=settings.gpu_layers,
    ) as llm:
        llama = llm.llama
        warm_up(llama)
        rows_s = tuple(timed_on_empty(llama, partial(_prefill, llama, rows, count)) for count in ROWS)
        llama.reset()
        answers = [llm.ask(None, question, max_tokens=1) for question in QUESTIONS]
        token_s = timed(llama, lambda: [llama.eval([llama.token_bos()]) for _ in range(TOKENS)]) / TOKENS
    text_s = answers[0].timings.prefill_text_s
    return Probe(tile_s, rows_s, text_s, token_s, max(answer.prompt_tokens for answer in answers))


def probe_tile(settings: EngineSettings) -> tuple[float, npt.NDArray[np.float32]]:
    """Seconds to encode a tile (the better of two tries), and its rows [tokens, D_text]."""
    model = core.VisionModel(settings.mmproj, n_threads=settings.n_threads, kernels=kernels_used())
    pixels = np.zeros((1, 3, model.tile, model.tile), np.float32)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        _, _, projected = model.encode(pixels, [0])
        seconds.append(time.perf_counter() - started)
    return min(seconds), projected[0]


def timed_on_empty(llama: llama_cpp.Llama, work: Callable[[], object]) -> float:
    """Seconds of work on an empty context."""
    clear(llama)
    return timed(llama, work)


def timed(llama: llama_cpp.Llama, work: Callable[[], object]) -> float:
    """Seconds until the work's last result is there."""
    started = time.perf_counter()
    work()
    synchronize(llama)
    return time.perf_counter() - started


def _prefill(llama: llama_cpp.Llama, rows: npt.NDArray[np.float32], count: int) -> None:
    many = np.ascontiguousarray(np.resize(rows, (count, rows.shape[1])))
    core.prefill_rows(address(llama), many, 0, llama.n_batch)
